export { createRelayFetch } from 'spindle'
