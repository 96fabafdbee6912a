// Reads a list of FHIR resources as JSON from stdin; writes for each whether it is valid, and the errors.
const { Fhir } = require("fhir");

const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const fhir = new Fhir();
  const resources = JSON.parse(Buffer.concat(chunks).toString("utf-8"));
  const outcomes = resources.map((resource) => {
    const { valid, messages } = fhir.validate(resource, { errorOnUnexpected: true });
    return { valid, messages: messages.filter((one) => one.severity === "error" || one.severity === "fatal") };
  });
  process.stdout.write(JSON.stringify(outcomes));
});
