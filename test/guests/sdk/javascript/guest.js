// What Spin's hono template makes, with a path for each thing that real applications do.
import { Hono } from 'hono'
import { logger } from 'hono/logger'

const app = new Hono()

app.use(logger())
app.use(async (c, next) => {
  c.header('server', 'Spin CLI')
  await next()
})

app.get('/hello', (c) => c.text('Hello from hono!'))
app.get('/headers', (c) => {
  const lines = [...c.req.raw.headers].map(([name, value]) => `${name}: ${value}`)
  return c.text(lines.sort().join('\n'))
})
app.post('/echo', async (c) => c.body(await c.req.arrayBuffer()))
app.get('/users/:name', (c) => c.json({ message: `Hello, ${c.req.param('name')}` }))
app.get('/cookies', (c) => {
  c.header('set-cookie', 'a=1', { append: true })
  c.header('set-cookie', 'b=2', { append: true })
  return c.text('two')
})
app.get('/outbound', async (c) => {
  const answer = await fetch(c.req.query('url'), {
    method: 'POST',
    headers: { 'x-from': 'guest' },
    body: 'guest body',
  })
  return c.text(await answer.text(), answer.status)
})
app.get('/raise', () => {
  throw new Error('raised on purpose')
})
app.get('/stream', () => {
  let part = 0
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (part++ < 3) controller.enqueue(new TextEncoder().encode(`part ${part}\n`))
        else controller.close()
      },
    }),
  )
})
app.get('/fails', () => {
  let part = 0
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (part++ < 3) controller.enqueue(new TextEncoder().encode(`part ${part}\n`))
        else controller.error(new Error('failed on purpose'))
      },
    }),
  )
})

app.fire()
