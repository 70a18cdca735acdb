// A real OpenID provider for tests. It takes one argument, JSON:
//
//   {"port": 0, "clients": [{…}], "people": {"name": {"email": "…", …}}}
//
// and says "ready <issuer>" when it answers. People log in by their name alone.
import http from "node:http";
import { once } from "node:events";
import Provider from "oidc-provider";

const { port, clients, people } = JSON.parse(process.argv[2]);
let answer = (req, res) => res.writeHead(503).end();
const server = http.createServer((req, res) => answer(req, res));
server.listen(port, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  pkce: { required: () => true },
  cookies: { keys: ["of tests alone"] },
  claims: {
    openid: ["sub"],
    email: ["email", "email_verified"],
    phone: ["phone_number", "phone_number_verified"],
    profile: ["name", "groups"],
  },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  // What a person is asked to agree to at the provider is not what is tested.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email phone profile");
    await grant.save();
    return grant;
  },
});

const form = `<!doctype html><html lang="en"><head><title>Log in</title><link rel="icon" href="data:,"></head><body><main><h1>The provider</h1>
<form method="post"><label>Name <input name="name" autocomplete="off"></label> <button id="login">Log in</button>
<button id="decline" name="decline" value="1">Decline</button></form></main></body></html>`;
const rest = provider.callback();
answer = async (req, res) => {
  if (!req.url.startsWith("/interaction/")) return rest(req, res);
  try {
    await provider.interactionDetails(req, res);
    if (req.method !== "POST") return res.writeHead(200, { "content-type": "text/html" }).end(form);
    let body = "";
    for await (const chunk of req) body += chunk;
    const sent = new URLSearchParams(body);
    if (sent.get("decline")) return await provider.interactionFinished(req, res, { error: "access_denied" });
    if (!people[sent.get("name")]) return res.writeHead(200, { "content-type": "text/html" }).end(form);
    await provider.interactionFinished(req, res, { login: { accountId: sent.get("name"), amr: ["pwd"] } });
  } catch (err) {
    res.writeHead(400, { "content-type": "text/plain" }).end(err.message);
  }
};
process.stdin.resume().on("end", () => process.exit()); // ends with the test that started it
console.log(`ready ${issuer}`);
