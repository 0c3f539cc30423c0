/** A case that a verifier must refuse, and the names of the tests that hold it. */
interface MustFail {
  readonly number: number
  readonly title: string
  /** As they stand behind the number. */
  readonly tests: readonly string[]
}

/** All of them, in the order of the specification that this library was written after. */
export const MUST_FAIL: readonly MustFail[] = [
  { number: 1, title: 'neither key nor identity', tests: ['with neither key nor identity'] },
  { number: 2, title: 'key and identity', tests: ['with key and identity', 'with key and issuer'] },
  { number: 3, title: 'identity without issuer', tests: ['with an identity without an issuer'] },
  { number: 4, title: 'issuer without identity', tests: ['with an issuer without an identity'] },
  {
    number: 5,
    title: 'empty criteria',
    tests: [
      'with an empty identity',
      'with an empty issuer',
      'with an empty pattern',
      'with an empty extension',
    ],
  },
  { number: 6, title: 'threshold 0', tests: ['with a threshold of 0'] },
  { number: 7, title: 'no signatures', tests: ['with no signature at all'] },
  {
    number: 8,
    title: 'payload is another',
    tests: ['with a payload that is not what its descriptor says'],
  },
  {
    number: 9,
    title: 'bundle is another',
    tests: ['with a bundle that is not what its descriptor says'],
  },
  { number: 10, title: 'referrer of something else', tests: ['with a referrer of something else'] },
  { number: 11, title: 'two layers', tests: ['with a referrer of two layers'] },
  { number: 12, title: 'tag moved', tests: ['by what its tag names in the meantime'] },
  {
    number: 13,
    title: 'registry fails',
    tests: [
      'never, where the registry fails to answer for the referrers',
      'never, where the registry fails to answer for the tag',
      'where the referrers, their tag or the older form’s answer 401',
      'where the referrers, their tag or the older form’s answer 403',
      'where the referrers, their tag or the older form’s answer 429',
      'where the referrers, their tag or the older form’s answer 500',
      'where the referrers, their tag or the older form’s answer 503',
    ],
  },
  {
    number: 14,
    title: 'too large or too many',
    tests: ['with a manifest, a bundle or a list of referrers beyond all bounds'],
  },
  { number: 15, title: 'another digest', tests: ['with the signature of another artifact'] },
  { number: 16, title: 'foreign type', tests: ['with a payload of another type'] },
  {
    number: 17,
    title: 'broken base64',
    tests: [
      'with a truncated signature annotation',
      'with a signature annotation that is no base64',
    ],
  },
  {
    number: 18,
    title: 'no signature',
    tests: ['without the signature annotation', 'with an empty signature annotation'],
  },
  {
    number: 19,
    title: 'log of another payload',
    tests: ['with another payload', 'with the log bundle of another payload'],
  },
  {
    number: 20,
    title: 'of another signature',
    tests: ['with another signature', 'with another signature, in a log of version 2'],
  },
  {
    number: 21,
    title: 'of another key',
    tests: [
      'signed with another key, attached as referrer',
      'signed with another key, attached as tag',
      'with another key',
      'with another key, in a log of version 2',
    ],
  },
  {
    number: 22,
    title: 'promise altered',
    tests: [
      'an altered signed entry timestamp',
      'with an altered signed entry timestamp',
      'with the signed entry timestamp of another entry',
    ],
  },
  {
    number: 23,
    title: 'time altered',
    tests: ['with another time than was promised', 'with an altered time'],
  },
  { number: 24, title: 'index altered', tests: ['with an altered log index'] },
  { number: 25, title: 'body no string', tests: ['with a body that is no string'] },
  { number: 26, title: 'unknown log', tests: ['without its log', 'with an unknown log'] },
  {
    number: 27,
    title: 'annotation missing or different',
    tests: [
      'without the annotations that are asked for, attached as referrer',
      'without the annotations that are asked for, attached as tag',
    ],
  },
  { number: 28, title: 'other reference', tests: ['signed under another name than is asked for'] },
  {
    number: 29,
    title: 'certificate without time',
    tests: ['by a certificate without signed entry timestamp and timestamp'],
  },
  {
    number: 30,
    title: 'no log',
    tests: [
      'without any log entry',
      'without a log entry where one is asked for',
      'without a log bundle',
    ],
  },
  { number: 31, title: 'other layer type', tests: ['with layers of another type only'] },
  { number: 32, title: 'unknown version', tests: ['of an unknown version'] },
  { number: 33, title: 'chain in 0.3', tests: ['of version 0.3 with a certificate chain'] },
  { number: 34, title: 'root inside', tests: ['that brings a root certificate along'] },
  {
    number: 35,
    title: 'both or neither content',
    tests: ['with both kinds of content', 'with no content', 'with a key and a certificate'],
  },
  {
    number: 36,
    title: 'zero or two signatures',
    tests: ['with no envelope signature', 'with two envelope signatures'],
  },
  { number: 37, title: 'payload type', tests: ['over another type of payload'] },
  { number: 38, title: 'predicate type', tests: ['with an attestation by the right signer'] },
  {
    number: 39,
    title: 'subject',
    tests: [
      'without a subject',
      'about something else',
      'with the digest under another algorithm',
      'with two subjects of one name',
    ],
  },
  {
    number: 40,
    title: 'integers',
    tests: [
      'with a negative integer',
      'with a fraction',
      'with an exponent',
      'with an integer that has no exact number',
    ],
  },
  { number: 41, title: 'base64', tests: ['with damaged base64'] },
  { number: 42, title: 'duplicate entries', tests: ['with one log entry twice'] },
  { number: 43, title: 'too many entries', tests: ['with more than 32 log entries'] },
  {
    number: 44,
    title: 'flipped bit',
    tests: [
      'with a flipped bit in the payload',
      'with a flipped bit in the signature',
      'with another payload type than was signed',
    ],
  },
  {
    number: 45,
    title: 'bad DER',
    tests: [
      'with bytes behind its signature',
      'with a negative r',
      'with an r longer than the curve',
    ],
  },
  { number: 46, title: 'P1363 for DER', tests: ['with r ‖ s where DER belongs'] },
  { number: 47, title: 'wrong key', tests: ['with another key'] },
  { number: 48, title: 'RSA 1024', tests: ['RSA of 1024 bits is refused'] },
  { number: 49, title: 'no proof', tests: ['without an inclusion proof'] },
  { number: 50, title: 'no checkpoint', tests: ['with a proof without a checkpoint'] },
  { number: 51, title: 'invented tree', tests: ['with an invented tree of one leaf'] },
  {
    number: 52,
    title: 'time without promise',
    tests: ['whose only time is one that nobody promised'],
  },
  {
    number: 53,
    title: 'hashes',
    tests: ['with a wrong hash in its proof', 'with a hash missing', 'with a hash too many'],
  },
  { number: 54, title: 'index', tests: ['with an index outside its tree', 'with another index'] },
  {
    number: 55,
    title: 'checkpoint',
    tests: [
      'with another root than its checkpoint',
      'of another log’s host',
      'with another size',
      'with another root',
      'without an origin',
      'without a size',
      'without a root',
      'without a signature',
      'with another key id',
      'with a bad signature',
      'whose signature is under another name',
    ],
  },
  { number: 56, title: 'witness alone', tests: ['that only a witness signed'] },
  {
    number: 57,
    title: 'kind or version',
    tests: [
      'with another kind than its entry',
      'with another version than its entry',
      'of an unknown kind',
    ],
  },
  {
    number: 58,
    title: 'digest',
    tests: ['with another payload hash', 'with another digest, in a log of version 2'],
  },
  {
    number: 59,
    title: 'certificate',
    tests: ['with another certificate', 'with the certificate of another signature'],
  },
  { number: 60, title: 'time outside the key', tests: ['whose log was trusted until before'] },
  {
    number: 61,
    title: 'version 2 without time',
    tests: ['of a log of version 2 without a timestamp'],
  },
  {
    number: 62,
    title: 'foreign authority',
    tests: ['with a foreign certificate authority', 'with none'],
  },
  {
    number: 63,
    title: 'authority out of range',
    tests: ['whose authority was trusted until before'],
  },
  {
    number: 64,
    title: 'time outside',
    tests: ['a time before the certificate', 'a time after the certificate'],
  },
  {
    number: 65,
    title: 'one time of two outside',
    tests: [
      'a log that saw it when the certificate was over',
      'a timestamp outside the certificate',
    ],
  },
  {
    number: 66,
    title: 'usage',
    tests: ['a certificate that is not for signing code', 'an issuer for another use'],
  },
  {
    number: 67,
    title: 'no authority or too long',
    tests: [
      'an issuer that is no authority',
      'an authority above that allows none below it',
      'an issuer that may not sign certificates',
    ],
  },
  {
    number: 68,
    title: 'critical extension',
    tests: ['a certificate with an unknown critical extension'],
  },
  {
    number: 69,
    title: 'SCT',
    tests: [
      'a certificate that was not logged',
      'a certificate whose proof of logging is altered',
      'a certificate that an unknown log logged',
      'the proof of logging of another certificate',
      'without the certificate’s log',
      'whose certificate log was trusted until before',
    ],
  },
  {
    number: 70,
    title: 'name',
    tests: [
      'in another case',
      'that is a prefix',
      'that is a suffix',
      'by a pattern that fits a part',
      'by alternatives that fit a part',
      'a certificate with two names',
    ],
  },
  {
    number: 71,
    title: 'issuer',
    tests: ['under another issuer', 'a certificate with two issuers'],
  },
  {
    number: 72,
    title: 'extensions',
    tests: [
      'with {"githubWorkflowRepository":"team/other"}',
      'with {"githubWorkflowRef":"refs/heads/dev"}',
      'with {"githubWorkflowSha":"0000000000000000000000000000000000000000"}',
      'with {"githubWorkflowTrigger":"push"}',
    ],
  },
  {
    number: 73,
    title: 'other data',
    tests: [
      'a timestamp over other data',
      'with a timestamp over other data',
      'with the timestamp of another signature',
    ],
  },
  {
    number: 74,
    title: 'unknown authority',
    tests: [
      'with a timestamp by who calls himself the authority, whose certificate is inside: true',
      'with a timestamp by who calls himself the authority, whose certificate is inside: false',
      'with a foreign timestamp authority',
      'whose timestamp authority signs with another certificate',
    ],
  },
  {
    number: 75,
    title: 'time outside',
    tests: [
      'a timestamp outside its authority',
      'whose timestamp authority was trusted until before',
    ],
  },
  { number: 76, title: 'two signers', tests: ['a timestamp with two signers'] },
  {
    number: 77,
    title: 'usage',
    tests: [
      'a timestamp by a certificate for another use',
      'a timestamp by a certificate for other uses too',
      'a timestamp by a certificate whose use others may ignore',
      'a timestamp by a certificate that issues others',
    ],
  },
  { number: 78, title: 'nonce', tests: ['a timestamp with another nonce'] },
  { number: 79, title: 'no start', tests: ['with a log that has no start'] },
  { number: 80, title: 'unsupported key', tests: ['whose log has a key of an unsupported kind'] },
  {
    number: 81,
    title: 'TUF',
    tests: [
      'is refused for a rollback of the timestamp',
      'is refused for a rollback of the snapshot',
      'is refused for a rollback of the targets',
      'is refused for an expired timestamp (freeze)',
      'is refused for an expired snapshot',
      'is refused for expired targets',
      'is refused for an expired last root',
      'is refused for a root with too few signatures',
      'is refused for a root that one key signed twice',
      'is refused for a root that a key of another role signed',
      'is refused for a gap between roots',
      'is refused for targets with too few signatures',
      'is refused for changed targets',
      'is refused for a snapshot that was not announced',
      'is refused for one document in place of another',
      'is refused for a target with a wrong hash',
      'is refused for a missing snapshot',
      'is refused for metadata that is nested without an end',
      'is refused where one key goes by two names',
      'is refused where one key is written in two ways',
    ],
  },
  { number: 82, title: 'wrong password', tests: ['a wrong password is said to be one'] },
  {
    number: 83,
    title: 'scrypt',
    tests: [
      'scrypt with N outside the three is refused, before any work',
      'scrypt with another r is refused, before any work',
      'scrypt with another p is refused, before any work',
    ],
  },
  {
    number: 84,
    title: 'kdf or cipher',
    tests: [
      'another key derivation is refused, before any work',
      'another cipher is refused, before any work',
    ],
  },
  { number: 85, title: 'SEC 1', tests: ['with SEC 1 inside is refused'] },
  {
    number: 86,
    title: 'nonce',
    tests: [
      'a nonce of another length is refused, before any work',
      'a salt of another length is refused, before any work',
    ],
  },
  {
    number: 87,
    title: 'token',
    tests: [
      'with an expired token',
      'with a token for another audience',
      'with a token whose address was not verified',
    ],
  },
  {
    number: 88,
    title: 'certificate',
    tests: [
      'a certificate without proof of logging',
      'for a certificate of another key',
      'for a certificate of a foreign authority',
      'for a token that Fulcio does not believe',
    ],
  },
  {
    number: 89,
    title: 'entry',
    tests: ['an entry for other content', 'for an entry of version 2 for other content'],
  },
  { number: 90, title: 'conflict', tests: ['takes the entry that is there already'] },
  { number: 91, title: 'half-written', tests: ['half-written says what was written'] },
]

/** What must hold besides, by the names of its tests. */
export const MUST_PASS: Readonly<Record<string, readonly string[]>> = {
  'old signatures under an authority and a log that were replaced': [
    'a signature under an authority and a log that were replaced since',
  ],
  'ranges with their last moment': ['a signature whose time is the last moment of every range'],
  'proofs of logging with extensions': [
    'a certificate whose log wrote extensions, and one with a second log that nobody knows',
  ],
  'checkpoints with other signatures, in any order': [
    'a checkpoint with other signatures before the log’s',
    'a checkpoint with other signatures behind the log’s',
    'a checkpoint with other signatures on both sides of the log’s',
  ],
  'several signers of whom one is right': [
    'when one of several signers is the right one, and says why the others are not',
  ],
  'an index under the tag with wrong types': [
    'under an index by a tag whose descriptors have wrong types',
  ],
  'keys with an empty password': ['is exported and imported, with and without a password'],
  'a high s': ['a signature with a high s'],
  'an unusable key of another log in the trusted root': [
    'a signature under a trusted root with another log, whose key nobody here can use',
  ],
}
