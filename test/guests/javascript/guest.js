// An application as one writes it in JavaScript. With its engine it becomes a component of 12 MB.
import { get } from 'fermyon:spin/variables@2.0.0'

// Run when the component is built: its snapshot is what every request starts from.
const squares = Array.from({ length: 1000 }, (_, i) => i * i)

const routes = {
  '/json': (request, url) =>
    Response.json({ method: request.method, query: Object.fromEntries(url.searchParams) }),
  '/echo': async (request) =>
    new Response(await request.arrayBuffer(), {
      status: 201,
      headers: {
        'content-type': 'application/octet-stream',
        'x-asked': request.headers.get('x-ask'),
      },
    }),
  '/text': async (request) => new Response((await request.text()).toUpperCase()),
  '/hash': async (request) => {
    const digest = await crypto.subtle.digest('SHA-256', await request.arrayBuffer())
    return new Response(
      Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    )
  },
  '/snapshot': () => new Response(String(squares.at(-1))),
  '/variable': (_, url) => new Response(get(url.searchParams.get('name'))),
  '/wait': async () => {
    await new Promise((resolve) => setTimeout(resolve, 100))
    return new Response('waited')
  },
  '/out': async (_, url) => {
    const { status } = await fetch(url.searchParams.get('url'))
    return new Response(`status ${status}`)
  },
  '/stream': () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const part of ['one ', 'two ', 'three'])
            controller.enqueue(new TextEncoder().encode(part))
          controller.close()
        },
      }),
    ),
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request)))

async function answer(request) {
  const url = new URL(request.url)
  try {
    const route = routes[url.pathname]
    return route ? await route(request, url) : new Response('nothing here', { status: 404 })
  } catch (error) {
    return new Response(JSON.stringify(error.payload ?? String(error)), { status: 502 })
  }
}
