// Node's `http`, got without an import of it: one looks up every name that the module has, among them WebSocket, for which Node then loads its
// client of fetch (undici): 40 ms and some MB of every command that speaks to anybody. Types may be imported from `node:http` as ever.

export const http = process.getBuiltinModule("node:http");

/** For a request to the path of a socket: Node asks whether its host is an address otherwise, by an expression that V8 takes 15 ms to compile. */
export const withoutHost = { servername: "" };
