// A guest that calls what a host may have or not: redis, databases, models, configuration, key-value.
import { describe, expect, it } from 'vitest'
import {
  createAppHandler,
  type AppHandlerOptions,
  type HostInterface,
  type LogLine,
} from '../../src/run/index.ts'
import { bytesOfFile, pulledApp } from './fixtures.ts'

const app = pulledApp(
  {
    guest: {
      wasm: bytesOfFile('test/guests/services.wasm'),
      config: { name: 'Mr {{ who }}' },
      metadata: { key_value_stores: ['default'] },
    },
  },
  [{ route: '/...', component: 'guest' }],
  { variables: { who: { default: 'X' } } },
)

async function ask(
  path: string,
  options: AppHandlerOptions = {},
): Promise<{ readonly answer: string; readonly log: readonly string[] }> {
  const log: LogLine[] = []
  const handler = await createAppHandler(app, {
    jspi: false,
    ...options,
    onLog: (line) => log.push(line),
  })
  const response = await handler.fetch(new Request(`http://app.example${path}`))
  return {
    answer: `${response.status} ${await response.text()}`,
    log: log.map(({ text }) => text),
  }
}

const SERVICES = [
  ['/redis', 'fermyon:spin/redis@2.0.0'],
  ['/mysql', 'fermyon:spin/mysql@2.0.0'],
  ['/postgres', 'fermyon:spin/postgres@2.0.0'],
  ['/mqtt', 'fermyon:spin/mqtt@2.0.0'],
  ['/redis3', 'spin:redis/redis@3.0.0'],
  ['/mysql3', 'spin:mysql/mysql@3.0.0'],
  ['/postgres4', 'spin:postgres/postgres@4.2.0'],
  ['/mqtt3', 'spin:mqtt/mqtt@3.0.0'],
] as const

describe('a service that no host brings along', () => {
  it('hinders nobody who does not call it', async () => {
    expect((await ask('/')).answer).toBe('200 ')
  })

  it.each([
    ...SERVICES.map(([path, name]) => [path, `${name}#[static]connection.open`]),
    ['/llm', 'fermyon:spin/llm@2.0.0#generate-embeddings'],
  ])('is refused by name when it is called: %s', async (path, name) => {
    const { answer, log } = await ask(path as string)
    expect(answer).toBe('500 ')
    expect(log).toHaveLength(1)
    expect(log[0]).toContain(name)
    expect(log[0]).toContain('supply it by the option "interfaces"')
    expect(log[0]).toContain('ERR_UNSUPPORTED')
  })

  it.each([
    ['fermyon:spin/redis@2.0.0', { allowed_outbound_hosts: ['redis://localhost:6379'] }],
    ['spin:mysql/mysql@3.0.0', { allowed_outbound_hosts: ['mysql://localhost'] }],
    ['spin:postgres/postgres@4.2.0', { allowed_outbound_hosts: ['postgres://localhost'] }],
    ['spin:mqtt/mqtt@3.0.0', { allowed_outbound_hosts: ['mqtt://localhost:1883'] }],
    ['fermyon:spin/llm@2.0.0', { ai_models: ['llama2-chat'] }],
  ])(
    'is named at the start, with who asks for it and what supplies it: %s',
    async (name, metadata) => {
      const start = async (
        interfaces: AppHandlerOptions['interfaces'] = {},
      ): Promise<LogLine[]> => {
        const log: LogLine[] = []
        const app = pulledApp(
          { guest: { wasm: bytesOfFile('test/guests/services.wasm'), metadata } },
          [{ route: '/...', component: 'guest' }],
        )
        await createAppHandler(app, { interfaces, onLog: (line) => log.push(line) })
        return log
      }
      expect(await start()).toContainEqual({
        component: 'guest',
        stream: 'host',
        text: `imports "${name}", which nothing supplies: a call of it fails; supply it by the option "interfaces"`,
      })
      const [base = ''] = name.split('@', 1)
      const port = { functions: { '[static]connection.open': () => undefined } }
      expect(
        (await start({ [base]: port })).filter(({ text }) => text.includes(`"${name}"`)),
      ).toEqual([])
    },
  )

  it.each(SERVICES)('can be supplied: %s', async (path, name) => {
    const asked: unknown[][] = []
    const port: HostInterface = {
      functions: {
        '[static]connection.open': (...args: unknown[]) => {
          asked.push(args)
          return { tag: 'ok', val: { open: true } }
        },
        '[method]connection.incr': (connection: unknown, key: unknown) => {
          asked.push([connection, key])
          return { tag: 'ok', val: 7n }
        },
      },
    }
    const interfaces = { [name]: port }
    expect((await ask(path, { interfaces })).answer).toBe(
      path === '/redis' ? '200 open 7' : '200 open ',
    )
    const mqtt = path.startsWith('/mqtt') ? ['tcp', 'tcp', 30n] : []
    expect(asked[0]).toEqual(['tcp://up.example', ...mqtt])
    expect(asked[1]).toEqual(path === '/redis' ? [{ open: true }, 'hits'] : undefined)
  })

  it('can be supplied for all its versions, and say what is wrong', async () => {
    const open = (): unknown => ({ tag: 'err', val: { tag: 'other', val: 'down' } })
    const interfaces = { 'fermyon:spin/redis': { functions: { '[static]connection.open': open } } }
    expect((await ask('/redis', { interfaces })).answer).toBe('200 error 3')
  })

  it('can be a model', async () => {
    const embed = (_model: string, texts: readonly string[]): unknown => ({
      tag: 'ok',
      val: { embeddings: texts.map(() => [0.5]), usage: { promptTokenCount: 9 } },
    })
    const interfaces = { 'fermyon:spin/llm': { functions: { 'generate-embeddings': embed } } }
    expect((await ask('/llm', { interfaces })).answer).toBe('200 2 embeddings of 9')
  })
})

describe('interfaces of WASI that Spin has', () => {
  it('configuration is the variables of the component', async () => {
    expect((await ask('/config/name')).answer).toBe('200 Mr X name=Mr X')
    expect((await ask('/config/other')).answer).toBe('200 none name=Mr X')
  })

  it('key-value, one by one, many at once and counted', async () => {
    const { answer } = await ask('/keyvalue/default')
    expect(answer).toBe('200 open a=one b=two gone=none 42 b keys 3')
  })

  it('a store that is not listed is refused', async () => {
    expect((await ask('/keyvalue/other')).answer).toBe('200 error 1')
  })
})
