import { Agent, request } from "node:http";

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Sends a POST on a connection that is kept, with nothing of a client in between: the floor of any HTTP call. */
export const poster = (
  url: string,
  headers: Readonly<Record<string, string>>,
): ((path: string, body: string) => Promise<Reply>) => {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(url);
  return (path, body) =>
    new Promise((resolve, reject) => {
      const call = request(
        {
          agent,
          hostname,
          port,
          path,
          method: "POST",
          headers: { ...headers, "Content-Length": Buffer.byteLength(body) },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
          );
          response.on("error", reject);
        },
      );
      call.on("error", reject);
      call.end(body);
    });
};
