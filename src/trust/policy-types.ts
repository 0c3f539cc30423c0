/** The types of a policy: `Policy` and each type that it names. */
export type { KeyInput, WebKey } from './keys/public-key.ts'
export type {
  AllOfPolicy,
  AnyOfPolicy,
  IdentityPolicy,
  KeyPolicy,
  Policy,
  SignatureFormat,
  SignatureRequirements,
} from './policy/policy.ts'
export type { CertificateExtensions } from './x509/identity.ts'
