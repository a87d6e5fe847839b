//! Every format of `podgrace audit`, as the binary prints it for the manifests under `tests/formats/`.
//!
//! A case is a folder with `manifests/` and the expected outputs. `UPDATE_GOLDEN=1` rewrites those: read the
//! difference before you commit it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// Each format, its expected file, and the exit code of both cases.
const FORMATS: [(&str, &str); 8] = [
    ("table", "table.txt"),
    ("wide", "wide.txt"),
    ("json", "audit.json"),
    ("yaml", "audit.yaml"),
    ("sarif", "audit.sarif"),
    ("junit", "junit.xml"),
    ("github", "github.txt"),
    ("html", "audit.html"),
];
const CASES: [(&str, i32); 2] = [("clean", 0), ("findings", 2)];

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(case)
}

/// A repository with the manifests of a case in its folder `deploy`.
struct Repository(TempDir);

impl Repository {
    fn of(case: &str) -> Self {
        let repository = Self(TempDir::new().unwrap());
        fs::create_dir(repository.0.path().join(".git")).unwrap();
        fs::create_dir_all(repository.deploy().join("manifests")).unwrap();
        for file in fs::read_dir(folder(case).join("manifests")).unwrap() {
            let file = file.unwrap();
            let to = repository.deploy().join("manifests").join(file.file_name());
            fs::copy(file.path(), to).unwrap();
        }
        repository
    }

    fn deploy(&self) -> PathBuf {
        self.0.path().join("deploy")
    }
}

fn podgrace(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("podgrace").unwrap();
    command.current_dir(folder).env_clear();
    command.args(arguments).output().unwrap()
}

fn audit(folder: &Path, arguments: &[&str]) -> Output {
    podgrace(
        folder,
        &[&["audit", "-f", "manifests", "-q"], arguments].concat(),
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An output without what stands in files of its own or changes with every release.
fn stable(format: &str, text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    match format {
        "sarif" => {
            let mut sarif: Value = serde_json::from_str(&text).unwrap();
            let rules = &mut sarif["runs"][0]["tool"]["driver"]["rules"];
            for rule in rules.as_array_mut().unwrap() {
                let page = rule["help"]["markdown"].take();
                let heading = format!("# {}\n", rule["id"].as_str().unwrap());
                assert!(page.as_str().unwrap().starts_with(&heading));
                rule["help"]["markdown"] = "THE PAGE OF THE RULE".into();
            }
            serde_json::to_string_pretty(&sarif).unwrap() + "\n"
        }
        "html" => {
            let text = without(&text, "<style>", "</style>");
            without(&without(&text, "<script>", "</script>"), "script-src ", ";")
        }
        _ => text,
    }
}

fn without(text: &str, from: &str, to: &str) -> String {
    let (before, rest) = text.split_once(from).unwrap();
    let (_, after) = rest.split_once(to).unwrap();
    format!("{before}{from}{to}{after}")
}

#[test]
fn every_format_is_as_expected_and_ends_with_the_same_code() {
    let mut wrong = Vec::new();
    for (case, code) in CASES {
        let (folder, repository) = (folder(case), Repository::of(case));
        for (format, file) in FORMATS {
            let output = audit(&repository.deploy(), &["-o", format]);
            assert_eq!(output.status.code(), Some(code), "{case}: {format}");
            assert_eq!(text(&output.stderr), "", "{case}: {format}");
            let got = stable(format, &text(&output.stdout));
            let path = folder.join(file);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&path, &got).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != got {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, UPDATE_GOLDEN=1 takes it: {wrong:#?}"
    );
}

#[test]
fn one_run_writes_every_format_and_each_file_is_what_the_format_prints() {
    let (folder, out) = (folder("findings"), TempDir::new().unwrap());
    let files: Vec<String> = FORMATS
        .iter()
        .map(|(format, file)| {
            let path = out.path().join("new/folder").join(file);
            format!("--output-file={format}={}", path.display())
        })
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = audit(&folder, &files);
    assert_eq!(output.status.code(), Some(2));
    for (format, file) in FORMATS {
        let printed = text(&audit(&folder, &["-o", format]).stdout);
        let written = fs::read_to_string(out.path().join("new/folder").join(file)).unwrap();
        assert_eq!(written, printed, "{format}");
        if format == "table" {
            assert_eq!(text(&output.stdout), printed, "the default");
        }
    }
}

#[test]
fn what_cannot_be_written_or_is_no_format_is_an_error() {
    let folder = folder("clean");
    for (argument, says) in [
        ("--output-file=sarif=/dev/null/report", "/dev/null/report: "),
        (
            "--output-file=pdf=report.pdf",
            "no format pdf; there are table, wide,",
        ),
        ("--output-file=report.sarif", "write FORMAT=PATH"),
        ("--output-file=json=-", "for standard output write -o json"),
        ("--output=pdf", "invalid value 'pdf'"),
    ] {
        let output = audit(&folder, &[argument]);
        assert_eq!(output.status.code(), Some(2), "{argument}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(says), "{argument}: {stderr}");
    }
}

#[test]
fn files_have_no_colours_and_no_color_is_honoured() {
    let (folder, out) = (folder("findings"), TempDir::new().unwrap());
    let file = out.path().join("table.txt");
    let run = |name: &str, value: &str| {
        let mut command = Command::cargo_bin("podgrace").unwrap();
        command.current_dir(&folder).env_clear().env(name, value);
        let file = format!("--output-file=wide={}", file.display());
        command.args(["audit", "-q", "-f", "manifests", "-o", "wide", &file]);
        text(&command.output().unwrap().stdout)
    };
    assert!(run("CLICOLOR_FORCE", "1").contains("\u{1b}["));
    assert!(!run("NO_COLOR", "1").contains('\u{1b}'));
    assert!(!fs::read_to_string(file).unwrap().contains('\u{1b}'));
}

#[test]
fn junit_counts_what_it_holds_and_fails_where_the_run_fails() {
    let folder = folder("findings");
    for fail_on in ["info", "warning", "error"] {
        let output = audit(&folder, &["-o", "junit", "--fail-on", fail_on]);
        let text = text(&output.stdout);
        let xml = roxmltree::Document::parse(&text).unwrap();
        let json = audit(&folder, &["-o", "json"]);
        let json: Value = serde_json::from_slice(&json.stdout).unwrap();
        let root = xml.root_element();
        let count = |node: roxmltree::Node<'_, '_>, name: &str| {
            let below = node.descendants();
            below
                .filter(|node| node.has_tag_name(name))
                .count()
                .to_string()
        };
        let suites = root.children().filter(roxmltree::Node::is_element);
        for node in suites.chain([root]) {
            assert_eq!(node.attribute("tests"), Some(&*count(node, "testcase")));
            assert_eq!(node.attribute("failures"), Some(&*count(node, "failure")));
            assert_eq!(node.attribute("errors"), Some(&*count(node, "error")));
        }
        // Of a workload and a rule there is one case, whatever the number of its containers.
        let severities: &[&str] = match fail_on {
            "info" => &["info", "warning", "error"],
            "warning" => &["warning", "error"],
            _ => &["error"],
        };
        let mut failing: Vec<(&Value, &Value)> = json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| severities.contains(&f["severity"].as_str().unwrap()))
            .map(|f| (&f["name"], &f["rule"]))
            .collect();
        failing.sort_by_key(|(name, rule)| (name.to_string(), rule.to_string()));
        failing.dedup();
        assert_eq!(
            count(root, "failure"),
            failing.len().to_string(),
            "{fail_on}"
        );
    }
}

#[test]
fn sarif_names_places_as_code_scanning_reads_them() {
    for (case, _) in CASES {
        let output = audit(&Repository::of(case).deploy(), &["-o", "sarif"]);
        let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
        let run = &sarif["runs"][0];
        let results = run["results"].as_array().expect("there when clean too");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            let location = &result["locations"][0]["physicalLocation"];
            let uri = location["artifactLocation"]["uri"].as_str().unwrap();
            assert!(
                uri.starts_with("deploy/manifests/"),
                "from the root of the repository: {uri}"
            );
            assert!(!uri.contains(' '), "{uri}");
            assert!(location["region"]["startLine"].as_u64().unwrap() >= 1);
        }
        let prints: Vec<&Value> = results
            .iter()
            .map(|result| &result["partialFingerprints"]["primaryLocationLineHash"])
            .collect();
        for (index, print) in prints.iter().enumerate() {
            assert!(!prints[..index].contains(print), "{print} is there twice");
        }
    }
}

/// A copy of the manifests of the case with findings, without the file that is broken.
fn copy() -> TempDir {
    let copy = TempDir::new().unwrap();
    let manifests = copy.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let from = folder("findings").join("manifests/shop.yaml");
    fs::copy(from, manifests.join("shop.yaml")).unwrap();
    copy
}

fn fingerprints(folder: &Path) -> Vec<String> {
    let sarif: Value = serde_json::from_slice(&audit(folder, &["-o", "sarif"]).stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["partialFingerprints"].to_string())
        .collect()
}

#[test]
fn fingerprints_stay_when_lines_files_and_containers_move() {
    let copy = copy();
    let before = fingerprints(copy.path());
    let old = copy.path().join("manifests/shop.yaml");
    let text = fs::read_to_string(&old).unwrap();
    let moved = text
        .replace("apiVersion: apps/v1", "# one\n# two\napiVersion: apps/v1")
        .replace(
            "      containers:\n",
            "      containers:\n      - {name: first, image: example.com/first:1}\n",
        );
    fs::remove_file(old).unwrap();
    fs::write(copy.path().join("manifests/all.yaml"), moved).unwrap();
    assert_eq!(fingerprints(copy.path()), before);
}

#[test]
fn only_what_is_not_in_the_baseline_fails() {
    let copy = copy();
    let write = audit(copy.path(), &["--write-baseline", "known.yaml"]);
    assert_eq!(write.status.code(), Some(0), "all of it is known now");
    let with = |more: &[&str]| {
        let arguments = [
            &["audit", "-f", "manifests", "--baseline", "known.yaml"],
            more,
        ]
        .concat();
        podgrace(copy.path(), &arguments)
    };
    let known = with(&[]);
    assert_eq!(known.status.code(), Some(0), "{known:?}");
    assert!(
        text(&known.stdout).contains("8 in the baseline"),
        "{known:?}"
    );
    assert_eq!(text(&known.stderr), "");

    // One finding more, one less, and the rest on other lines.
    let file = copy.path().join("manifests/shop.yaml");
    let changed = fs::read_to_string(&file)
        .unwrap()
        .replace("podgrace.io/pre-stop-slep: 10s", "podgrace.io/profil: x")
        .replace("# The shop", "\n\n# The shop");
    fs::write(&file, changed).unwrap();
    let new = with(&["-o", "json"]);
    assert_eq!(new.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&new.stdout).unwrap();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{json:#}");
    assert!(
        findings[0]["message"]
            .as_str()
            .unwrap()
            .contains("podgrace.io/profil")
    );
    assert_eq!(
        text(&new.stderr),
        "podgrace: mended since the baseline: deployment/search in shop: annotation-invalid\n"
    );

    // What is not in the input is not said to be mended.
    fs::write(copy.path().join("manifests/shop.yaml"), "").unwrap();
    let nothing = with(&[]);
    assert_eq!(nothing.status.code(), Some(0));
    assert!(
        text(&nothing.stderr).contains("not looked at"),
        "{nothing:?}"
    );

    fs::write(
        copy.path().join("known.yaml"),
        "findings: [{rule: a, line: 3}]",
    )
    .unwrap();
    let wrong = with(&[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("known.yaml: not a baseline"),
        "{wrong:?}"
    );
}

#[test]
fn what_was_not_looked_at_stays_in_a_renewed_baseline() {
    let copy = copy();
    audit(copy.path(), &["--write-baseline", "known.yaml"]);
    let before = fs::read_to_string(copy.path().join("known.yaml")).unwrap();
    let renew = ["--baseline", "known.yaml", "--write-baseline", "known.yaml"];
    for more in [
        ["-f", "manifests/empty.yaml"],
        ["--rule", "grace-too-short"],
    ] {
        fs::write(copy.path().join("manifests/empty.yaml"), "").unwrap();
        let arguments = match more[0] {
            "-f" => [&["audit"], &more[..], &renew].concat(),
            _ => [&["audit", "-f", "manifests"], &more[..], &renew].concat(),
        };
        let renewed = podgrace(copy.path(), &arguments);
        assert_eq!(renewed.status.code(), Some(0), "{renewed:?}");
        let after = fs::read_to_string(copy.path().join("known.yaml")).unwrap();
        assert_eq!(after, before, "{more:?}");
    }
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let copy = copy();
    let file = copy.path().join("manifests/shop.yaml");
    let before = fs::read_to_string(&file).unwrap();
    for options in [
        &["--write-baseline", "manifests/shop.yaml"][..],
        &["--output-file", "json=manifests/../manifests/shop.yaml"],
        &["--output-file", "json=new", "--output-file", "sarif=new"],
        &["--write-baseline", "other"],
    ] {
        fs::write(copy.path().join("other"), "kind: Service\n").unwrap();
        let arguments = [&["audit", "-f", "manifests/shop.yaml"], options].concat();
        let refused = podgrace(copy.path(), &arguments);
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {refused:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), before);
        assert!(!copy.path().join("new").exists());
    }
}

#[test]
fn fix_writes_what_inject_writes_and_tells_what_is_left() {
    let (fixed, injected) = (copy(), copy());
    let before = fs::read_to_string(fixed.path().join("manifests/shop.yaml")).unwrap();
    let output = podgrace(
        fixed.path(),
        &["audit", "--fix", "-f", "manifests", "-o", "json"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "podgrace: 1 file changed; what is told is what is left\n"
    );
    podgrace(
        injected.path(),
        &["inject", "--in-place", "-f", "manifests"],
    );
    let read =
        |copy: &TempDir| fs::read_to_string(copy.path().join("manifests/shop.yaml")).unwrap();
    assert_eq!(read(&fixed), read(&injected));
    assert_ne!(read(&fixed), before);
    assert!(read(&fixed).contains("# answers after half a minute"));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["summary"]["injected"], 0);

    let again = podgrace(fixed.path(), &["audit", "--fix", "-f", "manifests"]);
    assert!(
        text(&again.stderr).contains("nothing to write"),
        "{again:?}"
    );
    let stdin = podgrace(fixed.path(), &["audit", "--fix", "-f", "-"]);
    assert_eq!(stdin.status.code(), Some(2));
}
