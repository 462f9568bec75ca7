// One comment judged from Node: grpc-js, over TLS, with a key.
// Usage: node moderate.js HOST:PORT CA.pem KEY PROTO_FOLDER
const fs = require("node:fs");
const assert = require("node:assert");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, ca, key, protos] = process.argv.slice(2);
const definition = loader.loadSync("moderato/v1/moderation.proto", { includeDirs: [protos], enums: String });
const { ModerationService } = grpc.loadPackageDefinition(definition).moderato.v1;
const client = new ModerationService(address, grpc.credentials.createSsl(fs.readFileSync(ca)));

const request = {
  site: "gazette",
  comment: {
    content: "I walked past the new bridge today and it is lovely.",
    authorName: "Ann Reader",
    authorEmail: "ann@example.org",
    authorIp: "203.0.113.8",
  },
};

function moderate(authorization) {
  const metadata = new grpc.Metadata();
  if (authorization) metadata.set("authorization", authorization);
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5000;
    client.moderate(request, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

(async () => {
  const answer = await moderate(`Bearer ${key}`);
  assert.strictEqual(answer.verdict, "VERDICT_APPROVE");
  assert.strictEqual(answer.handling, "HANDLING_PUBLISH");
  for (const wrong of [undefined, "Bearer wrong"]) {
    await assert.rejects(moderate(wrong), { code: grpc.status.UNAUTHENTICATED });
  }
  client.close();
  console.log("grpc-js", require("@grpc/grpc-js/package.json").version, "ok");
})();
