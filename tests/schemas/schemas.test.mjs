// The audit's SARIF and JUnit against their schemas. What is not installed is skipped, and said so.
//
//   PODGRACE   the binary; default: target/debug/podgrace of the repository
//
// SARIF is judged by Microsoft's SARIF Multitool, which has the schema and GitHub's additional rules in it.
// JUnit has no schema of its own: junit-10.xsd is the one of Jenkins' xUnit plugin (MIT, as pytest ships it).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const podgrace = resolve(process.env.PODGRACE ?? join(here, "../../target/debug/podgrace"));
const multitool = join(here, "node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool");
const runs = (program, ...args) => spawnSync(program, args, { stdio: "ignore" }).error === undefined;

// What the tool would like and we do not: messages by number, rule names as CS2001, lines of source in the report, and addresses
// of things that have none. "Not reachable" is said of every address where there is no network.
const DECLINED = ["SARIF2002", "SARIF2003", "SARIF2005", "SARIF2006", "SARIF2009", "SARIF2010", "SARIF2011", "SARIF2012"];

let folder;
before(() => { folder = mkdtempSync(join(tmpdir(), "podgrace-schemas-")); });
after(() => rmSync(folder, { recursive: true, force: true }));

for (const name of ["clean", "findings"]) {
  const write = (format) => {
    const file = join(folder, `${name}.${format}`);
    const run = spawnSync(podgrace, ["audit", "-q", "-f", "manifests", "--output-file", `${format}=${file}`],
      { cwd: join(here, "../formats", name), encoding: "utf8" });
    assert.equal(run.status, name === "clean" ? 0 : 2, run.stderr);
    return file;
  };

  test(`SARIF, ${name}`, existsSync(multitool) && runs(multitool, "help")
    ? {} : { skip: "the SARIF Multitool does not run here" }, () => {
    const said = join(folder, `${name}.said.sarif`);
    const run = spawnSync(multitool, ["validate", write("sarif"), "--rule-kind", "Sarif;Gh",
      "--level", "Error;Warning;Note", "--output", said, "--log", "ForceOverwrite"],
    { encoding: "utf8", env: { ...process.env, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT: "1" } });
    assert.equal(run.status, 0, run.stdout + run.stderr);
    const { results } = JSON.parse(readFileSync(said, "utf8").replace(/^\uFEFF/, "")).runs[0];
    const left = results.filter(({ ruleId }) => !DECLINED.includes(ruleId.split("/")[0]));
    assert.deepEqual(left.map(({ ruleId, message }) => [ruleId, message]), []);
  });

  test(`JUnit, ${name}`, runs("xmllint", "--version") ? {} : { skip: "no xmllint" }, () => {
    // The schema does not know the file of a case, which GitLab makes a link of.
    const file = write("junit");
    const known = readFileSync(file, "utf8").replace(/(<testcase [^>]*?) file="[^"]*"/g, "$1");
    writeFileSync(file, known);
    const run = spawnSync("xmllint", ["--noout", "--schema", join(here, "junit-10.xsd"), file], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
  });
}
