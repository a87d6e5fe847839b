//! The binary, run as a person or a pipeline runs it, with nothing of our environment.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// A pod that gets a sleep and a longer grace period.
const POD: &str = "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    ports: [{containerPort: 80}]\n";

/// What becomes of [`POD`].
const INJECTED: &str = "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    ports: [{containerPort: 80}]\n    lifecycle:\n      preStop:\n        sleep:\n          seconds: 5\n  terminationGracePeriodSeconds: 35\n";

const SERVICE: &str = "kind: Service\napiVersion: v1\nmetadata: {name: web}\n";

/// A program in a folder, with an empty environment but for a way to find other programs.
fn program(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.current_dir(folder);
    command
}

fn podgrace(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program(folder, env!("CARGO_BIN_EXE_podgrace"));
    command.args(arguments).output().unwrap()
}

fn podgrace_from(folder: &Path, stdin: &str, arguments: &[&str]) -> Output {
    let mut command = program(folder, env!("CARGO_BIN_EXE_podgrace"));
    command.args(arguments).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn exit_codes() {
    let good = "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\n";
    let folder = folder(&[
        ("pod.yaml", POD),
        ("service.yaml", SERVICE),
        ("broken.yaml", "kind: [Pod\n"),
        (
            "not-a-pod.yaml",
            "kind: Pod\napiVersion: v1\nspec: {containers: 5}\n",
        ),
        ("good.yaml", good),
        (
            "bad.yaml",
            "apiVersion: podgrace.io/v1alpha1\nkind: Nonsense\n",
        ),
        (
            "namespace.yaml",
            "kind: Namespace\napiVersion: v1\nmetadata: {name: shop}\n",
        ),
    ]);
    for (arguments, expected) in [
        ("--version", 0),
        ("--help", 0),
        ("inject --help", 0),
        ("inject -f pod.yaml", 0),
        ("inject -f service.yaml", 0),
        ("inject -f pod.yaml --config good.yaml", 0),
        ("inject -f pod.yaml --namespace-file namespace.yaml", 0),
        ("inject -f pod.yaml --kube-version v1.29.6+k3s1", 0),
        ("config check good.yaml", 0),
        ("config show", 0),
        ("config show --config good.yaml -o json", 0),
        ("config schema", 0),
        ("completions bash", 0),
        ("", 2),
        ("injekt", 2),
        ("inject", 2),
        ("inject -f pod.yaml --no-such-flag", 2),
        ("inject -f pod.yaml --diff --in-place", 2),
        ("inject -f pod.yaml --kube-version latest", 2),
        ("inject -f pod.yaml --mode maybe", 2),
        ("inject -f missing.yaml", 2),
        ("inject -f broken.yaml", 2),
        ("inject -f not-a-pod.yaml", 2),
        ("inject -f broken.yaml -f pod.yaml", 2),
        ("inject -f pod.yaml --config bad.yaml", 2),
        ("inject -f pod.yaml --config missing.yaml", 2),
        ("inject -f pod.yaml --namespace-file service.yaml", 2),
        ("config check good.yaml bad.yaml", 2),
        ("config check missing.yaml", 2),
        ("config check", 2),
        ("completions cobol", 2),
    ] {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let output = podgrace(folder.path(), &words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(expected), "{arguments}: {said}");
        // What went wrong is said, and only then.
        assert_eq!(said.is_empty(), expected == 0, "{arguments}: {said}");
        assert!(!said.contains("panicked"), "{arguments}: {said}");
    }
}

#[test]
fn manifests_go_to_stdout_and_everything_else_to_stderr() {
    let typo = POD.replace(
        "{name: web}\nspec",
        "{name: web, annotations: {podgrace.io/pre-stop-slep: 9s}}\nspec",
    );
    let folder = folder(&[("pod.yaml", &typo)]);
    let output = podgrace(folder.path(), &["inject", "-f", "pod.yaml"]);
    assert!(output.status.success());
    assert!(stdout(&output).starts_with(&typo[..typo.len() - 1]));
    assert!(!stdout(&output).contains("podgrace: "));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("podgrace: pod.yaml:3:37: pod/web: podgrace.io/pre-stop-slep is not"),
        "{said}"
    );
}

#[test]
fn what_a_namespace_says_wrongly_is_said_once_and_where_it_stands() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  annotations:\n    \
                     podgrace.io/pre-stop-sleep: 9s\n    podgrace.io/profil: x\n";
    let pods: String = ["a", "b"]
        .map(|name| {
            POD.replace(
                "{name: web}\nspec",
                &format!("{{name: {name}, namespace: shop}}\nspec"),
            )
        })
        .join("---\n");
    let folder = folder(&[("all.yaml", &format!("{namespace}---\n{pods}"))]);
    let output = podgrace(folder.path(), &["inject", "-f", "all.yaml"]);
    assert_eq!(stdout(&output).matches("seconds: 9").count(), 2);
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("podgrace: all.yaml:7:5: namespace/shop: podgrace.io/profil"),
        "{said}"
    );
}

#[test]
fn hidden_folders_are_no_manifests_unless_they_are_named() {
    let folder = folder(&[]);
    for name in ["a", ".git/hooks", "b/.cache"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("pod.yaml"), POD).unwrap();
    }
    let workloads = |path: &str| {
        let output = podgrace(folder.path(), &["audit", "-R", "-f", path, "-o", "json"]);
        let report: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
        report["summary"]["workloads"].as_u64()
    };
    assert_eq!(workloads("."), Some(1));
    assert_eq!(workloads("b/.cache"), Some(1));
    assert_eq!(workloads(".git"), Some(1));
}

#[test]
fn standard_input_is_read() {
    let folder = folder(&[]);
    let output = podgrace_from(folder.path(), POD, &["inject", "-f", "-"]);
    assert_eq!(stdout(&output), INJECTED);
    assert_eq!(stderr(&output), "");
    let output = podgrace_from(folder.path(), POD, &["inject", "-f", "-", "-i"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot be changed in place"));
    let output = podgrace_from(folder.path(), "", &["inject", "-f", "-"]);
    assert!(output.status.success() && output.stdout.is_empty());
}

/// `podgrace … | head -1`: whoever reads has had enough, which is no error and no panic.
#[test]
fn a_closed_pipe_is_no_crash() {
    let many = format!("{POD}---\n").repeat(3_000);
    let folder = folder(&[("many.yaml", &many)]);
    for arguments in [
        &["inject", "-f", "many.yaml"][..],
        &["inject", "-f", "many.yaml", "--diff"],
        &["explain", "-f", "many.yaml"],
    ] {
        let mut command = program(folder.path(), env!("CARGO_BIN_EXE_podgrace"));
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(stderr(&output), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_diff_applies() {
    let crlf = POD.replace('\n', "\r\n");
    let files = [
        ("a.yaml", POD),
        ("deep/b.yaml", &POD[..POD.len() - 1]),
        ("deep/with blank.yaml", POD),
        ("crlf.yaml", &crlf),
        ("service.yaml", SERVICE),
    ];
    let as_given = ["inject", "-R", "-f", ".", "--diff"];
    for (tool, arguments) in [
        ("patch", &["-p1", "--binary", "--input", "all.diff"][..]),
        ("git", &["apply", "all.diff"]),
    ] {
        let folder = folder(&files);
        if program(folder.path(), tool)
            .arg("--version")
            .output()
            .is_err()
        {
            eprintln!("{tool} is not here: not tried");
            continue;
        }
        let output = podgrace(folder.path(), &as_given);
        assert!(output.status.success(), "{}", stderr(&output));
        fs::write(folder.path().join("all.diff"), &output.stdout).unwrap();
        let applied = program(folder.path(), tool)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            applied.status.success(),
            "{tool}: {}{}",
            stdout(&applied),
            stderr(&applied)
        );
        for (name, before) in files {
            let after = fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(after == before, name == "service.yaml", "{tool}: {name}");
        }
        fs::remove_file(folder.path().join("all.diff")).unwrap();
        // Applied, there is nothing left to do.
        let again = podgrace(folder.path(), &as_given);
        assert_eq!(stdout(&again), "", "{tool}");
    }
}

#[test]
fn in_place_writes_only_what_changes() {
    let folder = folder(&[
        ("pod.yaml", POD),
        ("service.yaml", SERVICE),
        ("done.yaml", INJECTED),
    ]);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let path = |name: &str| folder.path().join(name);
    for name in ["pod.yaml", "service.yaml", "done.yaml"] {
        let file = fs::File::options().append(true).open(path(name)).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let output = podgrace(folder.path(), &["inject", "-i", "-f", "."]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert_eq!(fs::read_to_string(path("pod.yaml")).unwrap(), INJECTED);
    for (name, is_written) in [
        ("pod.yaml", true),
        ("service.yaml", false),
        ("done.yaml", false),
    ] {
        let modified = fs::metadata(path(name)).unwrap().modified().unwrap();
        assert_eq!(modified != long_ago, is_written, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn in_place_keeps_links_and_rights_and_leaves_nothing_beside() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let folder = folder(&[("real.yaml", POD)]);
    let path = |name: &str| folder.path().join(name);
    fs::set_permissions(path("real.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.yaml", path("link.yaml")).unwrap();
    let output = podgrace(folder.path(), &["inject", "-i", "-f", "link.yaml"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(path("link.yaml").is_symlink());
    assert_eq!(fs::read_to_string(path("real.yaml")).unwrap(), INJECTED);
    let mode = fs::metadata(path("real.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn files_that_are_printed_one_after_the_other_are_one_stream() {
    let marked = format!("\u{feff}{SERVICE}");
    let directed = format!("%YAML 1.2\n---\n{SERVICE}");
    let folder = folder(&[("a.yaml", POD), ("b.yaml", &marked), ("c.yaml", &directed)]);
    let all = ["inject", "-f", "a.yaml", "-f", "b.yaml", "-f", "c.yaml"];
    let once = podgrace(folder.path(), &all);
    assert!(once.status.success(), "{}", stderr(&once));
    let again = podgrace_from(folder.path(), stdout(&once), &["inject", "-f", "-"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(stdout(&again), stdout(&once));
}

#[test]
fn folders_are_entered_when_asked() {
    let folder = folder(&[
        ("b.yaml", POD),
        ("a.yml", SERVICE),
        ("notes.txt", "no manifest"),
        ("deep/c.json", r#"{"kind": "ConfigMap"}"#),
    ]);
    let output = podgrace(folder.path(), &["inject", "-f", "."]);
    assert_eq!(stdout(&output), format!("{SERVICE}---\n{INJECTED}"));
    let output = podgrace(folder.path(), &["inject", "-R", "-f", "."]);
    assert!(stdout(&output).contains("ConfigMap"));
    assert!(!stdout(&output).contains("no manifest"));
}

/// One broken document takes nothing with it.
#[test]
fn what_cannot_be_read_is_named_and_the_rest_comes_out() {
    let broken = "kind: Pod\nmetadata: {name: [}\n";
    let odd = "kind: Pod\napiVersion: v1\nmetadata: {name: odd, annotations: {podgrace.io/startup-timeout: 90}}\nspec: {containers: []}\n";
    let stream = format!("{SERVICE}---\n{broken}---\n{POD}---\n{odd}");
    let folder = folder(&[("all.yaml", &stream)]);
    let output = podgrace(
        folder.path(),
        &["inject", "-f", "all.yaml", "-f", "gone.yaml"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stdout(&output),
        format!("{SERVICE}---\n{broken}---\n{INJECTED}---\n{odd}")
    );
    let said: Vec<&str> = stderr(&output).lines().collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(
        said[0],
        "podgrace: gone.yaml: there is no such file or folder"
    );
    assert!(said[1].starts_with("podgrace: all.yaml:6:18: "), "{said:?}");
    assert_eq!(
        said[2],
        "podgrace: all.yaml:18:37: pod/odd: not readable as a pod: \
         metadata.annotations.podgrace.io/startup-timeout: 90 is not text; write it in quotes"
    );
}

#[test]
fn a_namespace_in_another_file_counts() {
    let namespace = "kind: Namespace\napiVersion: v1\nmetadata: {name: shop, labels: {podgrace.io/mode: \"off\"}}\n";
    let pod = POD.replace("{name: web}\nspec", "{name: web, namespace: shop}\nspec");
    let folder = folder(&[("a.yaml", &pod), ("z.yaml", namespace)]);
    let output = podgrace(folder.path(), &["inject", "-f", "a.yaml", "-f", "z.yaml"]);
    assert_eq!(stdout(&output), format!("{pod}---\n{namespace}"));
    let output = podgrace(
        folder.path(),
        &["inject", "-f", "a.yaml", "--namespace-file", "z.yaml"],
    );
    assert_eq!(stdout(&output), pod);
    // Without it nothing is known of that namespace.
    let output = podgrace(folder.path(), &["inject", "-f", "a.yaml"]);
    assert_ne!(stdout(&output), pod);
}

/// A kind that nobody configured is named once, with the line to write, and fails nothing.
#[test]
fn a_kind_that_is_not_known_is_named_and_then_looked_at() {
    let rollout = |name: &str| {
        let spec = POD[POD.find("spec").unwrap()..].replace('\n', "\n    ");
        format!(
            "kind: Rollout\napiVersion: argoproj.io/v1alpha1\nmetadata: {{name: {name}}}\nspec:\n  template:\n    \
             {}\n",
            spec.trim_end()
        )
    };
    let both = format!("{}---\n{}", rollout("shop"), rollout("cart"));
    let entry = "{group: argoproj.io, kind: Rollout, templates: [spec.template]}";
    let configuration = |entry: &str| {
        format!(
            "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\nworkloads:\n- {entry}\n"
        )
    };
    let folder = folder(&[
        ("both.yaml", &both),
        ("known.yaml", &configuration(entry)),
        (
            "left.yaml",
            &configuration("{group: argoproj.io, kind: Rollout, templates: []}"),
        ),
    ]);
    for (command, place) in [("inject", "1:1"), ("audit", "1:1 (and 1 more)")] {
        let output = podgrace(folder.path(), &[command, "-f", "both.yaml"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert_eq!(
            stderr(&output),
            format!(
                "podgrace: both.yaml:{place}: Rollout of argoproj.io has a pod template and is not looked at; add to \
                 the configuration's workloads: {entry}\n"
            )
        );
        let quiet = ["--config", "left.yaml"];
        let output = podgrace(
            folder.path(),
            &[&[command, "-f", "both.yaml"], &quiet[..]].concat(),
        );
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    }
    let known = ["-f", "both.yaml", "--config", "known.yaml"];
    let output = podgrace(folder.path(), &[&["inject"], &known[..]].concat());
    assert_eq!(stdout(&output).matches("preStop").count(), 2);
    let output = podgrace(folder.path(), &[&["audit"], &known[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("rollout/cart"));
    let output = podgrace(
        folder.path(),
        &[&["explain", "rollout/cart"], &known[..]].concat(),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let output = podgrace(
        folder.path(),
        &["explain", "rollout/cart", "-f", "both.yaml"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(entry), "{}", stderr(&output));
    let output = podgrace(folder.path(), &["config", "show", "--config", "known.yaml"]);
    let line = stdout(&output)
        .lines()
        .find(|line| line.starts_with("workloads."));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    let key = "workloads.Rollout.argoproj.io.templates";
    assert_eq!(words, [key, "spec.template", "known.yaml:4"]);
}

#[test]
fn a_configuration_is_checked_with_line_and_column() {
    let head = "apiVersion: podgrace.io/v1alpha1\nkind: PodgraceConfiguration\n";
    for (body, place, words) in [
        ("margn: 5s\n", "3:1", "unknown field `margn`"),
        ("mode: loud\n", "3:7", "loud"),
        (
            "margin: 5\n",
            "3:9",
            r#"margin: "5" has no unit (write 5s)"#,
        ),
        ("margin: 5s\nmargin: 6s\n", "4:1", "margin"),
        (
            "defaults:\n  pre-stop-slep: 5s\n",
            "4:18",
            "did you mean pre-stop-sleep?",
        ),
        (
            "defaults:\n  startup-probe: livenes\n",
            "4:18",
            "did you mean liveness?",
        ),
        (
            "defaults:\n  profile: ingress-ngnix\n",
            "4:12",
            "did you mean ingress-nginx?",
        ),
        (
            "profiles:\n  a:\n    profile: b\n",
            "5:14",
            "profile is not a setting here",
        ),
        ("autoSources: [liveness, startup]\n", "3:25", "startup"),
        ("leaveAlone: {pods: []}\n", "3:14", "unknown field `pods`"),
        (
            "leaveAlone: {namespaces: ['kube-*', '*-system']}\n",
            "3:26",
            "a * may stand at the end only",
        ),
        (
            "leaveAlone: {containers: ['*-proxy']}\n",
            "3:26",
            "no * is understood here",
        ),
        (
            "workloads: [{group: apps, kind: Deployment, templates: []}]\n",
            "3:21",
            r#""apps" is not the group of a custom resource"#,
        ),
        (
            "workloads: [{group: argoproj.io/v1, kind: Rollout, templates: []}]\n",
            "3:21",
            "which is written as argoproj.io",
        ),
        (
            "workloads: [{group: argoproj.io, kind: rollouts, templates: []}]\n",
            "3:40",
            r#""rollouts" is not a kind"#,
        ),
        (
            "workloads:\n- {group: argoproj.io, kind: Rollout, templates: [/spec/template]}\n",
            "4:51",
            "is not a path of fields (write spec.template)",
        ),
        (
            "workloads: [{group: argoproj.io, kind: Rollout, templates: [], reference: spec.workloadRef}]\n",
            "3:75",
            "there are no templates",
        ),
        (
            "workloads: [{group: argoproj.io, kind: Rollout}]\n",
            "3:",
            "missing field `templates`",
        ),
        (
            "workloads: [{group: argoproj.io, kind: Rollout, templates: [], owner: apps/v1}]\n",
            "3:71",
            r#"owner: "apps/v1" is not a kind"#,
        ),
        (
            "workloads:\n- &a {group: argoproj.io, kind: Rollout, templates: []}\n- *a\n",
            "",
            "Rollout of argoproj.io is there twice",
        ),
        ("mode: [\n", "", ""),
    ] {
        let folder = folder(&[("podgrace.yaml", &format!("{head}{body}"))]);
        let output = podgrace(folder.path(), &["config", "check", "podgrace.yaml"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{body}");
        assert_eq!(stdout(&output), "", "{body}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with(&format!("podgrace: podgrace.yaml:{place}")),
            "{body}: {said}"
        );
        assert!(said.contains(words), "{body}: {said}");
    }
}

#[test]
fn the_schema_takes_the_documented_sample_and_refuses_what_check_refuses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = podgrace(root, &["config", "schema"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let file = root.join("docs/examples/podgrace.yaml");
    let checked = podgrace(root, &["config", "check", "docs/examples/podgrace.yaml"]);
    assert!(checked.status.success(), "{}", stderr(&checked));
    let bytes = fs::read(file).unwrap();
    let chunk = podgrace::manifests::split(&bytes).remove(0);
    let sample = podgrace::manifests::read(&bytes, &chunk).unwrap();
    let sample = sample.value();
    assert_eq!(refusal(&schema, &schema, sample), None);
    for (pointer, key, value) in [
        ("", "margn", json!("5s")),
        ("", "kind", json!("Other")),
        ("", "mode", json!("loud")),
        ("", "autoSources", json!(["startup"])),
        ("/defaults", "pre-stop-slep", json!("5s")),
        ("/leaveAlone", "pods", json!([])),
        (
            "",
            "workloads",
            json!([{"group": "argoproj.io", "kind": "Rollout"}]),
        ),
        (
            "",
            "workloads",
            json!([{"group": "argoproj.io", "kind": "Rollout", "templates": [], "template": "spec.template"}]),
        ),
    ] {
        let mut wrong = sample.clone();
        let object = wrong.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        object.insert(key.to_owned(), value);
        assert!(
            refusal(&schema, &schema, &wrong).is_some(),
            "{pointer}/{key}"
        );
    }
    let mut wrong = sample.clone();
    wrong.as_object_mut().unwrap().remove("apiVersion");
    assert!(refusal(&schema, &schema, &wrong).is_some());
}

/// Why a JSON Schema refuses a value: the few words of the language that our schema uses.
fn refusal(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let words = schema.as_object().unwrap();
    words.iter().find_map(|(word, says)| match word.as_str() {
        "$schema" | "$defs" | "title" | "description" => None,
        "$ref" => {
            let pointer = says.as_str().unwrap().trim_start_matches('#');
            refusal(root, root.pointer(pointer).unwrap(), value)
        }
        "type" => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            let allowed = says == kind || says.as_array().is_some_and(|l| l.contains(&kind.into()));
            (!allowed).then(|| format!("{value} is no {says}"))
        }
        "const" => (value != says).then(|| format!("{value} is not {says}")),
        "enum" => {
            (!says.as_array().unwrap().contains(value)).then(|| format!("{value} is not in {says}"))
        }
        "anyOf" | "oneOf" => {
            let mut ways = says.as_array().unwrap().iter();
            (!ways.any(|way| refusal(root, way, value).is_none()))
                .then(|| format!("{value}: {says}"))
        }
        "required" => {
            let mut keys = says.as_array().unwrap().iter().filter_map(Value::as_str);
            keys.find(|key| value.get(key).is_none())
                .map(|key| format!("no {key}"))
        }
        "items" => value
            .as_array()?
            .iter()
            .find_map(|item| refusal(root, says, item)),
        "properties" => says
            .as_object()
            .unwrap()
            .iter()
            .find_map(|(key, schema)| refusal(root, schema, value.get(key)?)),
        "propertyNames" => {
            let mut keys = value.as_object()?.keys();
            keys.find_map(|key| refusal(root, says, &Value::from(key.as_str())))
        }
        "additionalProperties" => {
            let named = |key: &String| schema["properties"].get(key).is_some();
            let mut others = value.as_object()?.iter().filter(|(key, _)| !named(key));
            others.find_map(|(key, value)| match says {
                Value::Bool(true) => None,
                Value::Bool(false) => Some(format!("{key} is not known")),
                schema => refusal(root, schema, value),
            })
        }
        other => panic!("teach tests/cli.rs the schema's word {other}"),
    })
}

#[test]
fn no_color_is_honoured() {
    let folder = folder(&[]);
    // A usage error is the most colourful thing that there is.
    let colours = |variables: &[(&str, &str)]| {
        let mut command = program(folder.path(), env!("CARGO_BIN_EXE_podgrace"));
        command.arg("injekt").envs(variables.iter().copied());
        command.output().unwrap().stderr.contains(&0x1b)
    };
    assert!(!colours(&[]), "no terminal, no colours");
    assert!(!colours(&[("NO_COLOR", "1"), ("TERM", "xterm-256color")]));
    assert!(!colours(&[("NO_COLOR", "1"), ("CLICOLOR", "1")]));
}

#[test]
fn completions_know_the_commands() {
    let folder = folder(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = podgrace(folder.path(), &["completions", shell]);
        assert!(output.status.success(), "{shell}");
        assert!(stdout(&output).contains("inject"), "{shell}");
    }
}

/// What a plugin is called by is what help says.
#[cfg(unix)]
#[test]
fn as_a_kubectl_plugin_it_says_so() {
    let folder = folder(&[]);
    let plugin = folder.path().join("kubectl-podgrace");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_podgrace"), &plugin).unwrap();
    let mut command = program(folder.path(), plugin.to_str().unwrap());
    let output = command.args(["inject", "--help"]).output().unwrap();
    assert!(
        stdout(&output).contains("kubectl podgrace inject"),
        "{}",
        stdout(&output)
    );
}
