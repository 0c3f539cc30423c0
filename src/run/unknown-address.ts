/** Where nobody knows who asked; also what Spin says of a component that asks another. */
export const UNKNOWN_ADDRESS = '0.0.0.0:0'
