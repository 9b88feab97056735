// Reads documents as Node's own programs do: {"reader", "documents"} on standard input, what they say on standard output.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import vm from "node:vm";

const require = createRequire(process.argv[2] + "/");
const dotenv = require("dotenv");
const yaml = require("yaml");

/** The object that a call in a program is given, read by JavaScript itself. */
function argument(text, call) {
  const from = text.indexOf(call) + call.length;
  const to = text.indexOf("\n});", from) + 2;
  return vm.runInNewContext(`(${text.slice(from, to)})`, { readFileSync: (name) => `<${name}>` });
}

const READERS = {
  dotenv: (text) => dotenv.parse(text),
  yaml: (text) => yaml.parse(text, { version: "1.2" }),
  node: (text) => argument(text, "new pg.Client("),
  drizzle: (text) => argument(text, "postgres("),
};

const { reader, documents } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(documents.map(READERS[reader])));
