//! Reading and editing manifests, driven by the files under `tests/manifests/`.
//!
//! A case is a folder with an `input` file (`.yaml` or `.json`), a `patch.json` that is applied
//! to each document in it, and the `expected` file. A document that the patch cannot be written
//! into stays as it was; what is said about it is in `errors.txt`. `UPDATE_GOLDEN=1` rewrites
//! `expected` and `errors.txt`: read the difference before you commit it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use podgrace::manifests::{self, Sources, unified_diff};
use serde_json::Value;

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let entries = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Applies a patch to every document, as `inject` does.
fn edit_stream(input: &[u8], patch: &json_patch::Patch) -> (String, String) {
    let (mut text, mut errors) = (String::new(), String::new());
    for chunk in manifests::split(input) {
        let edited = manifests::read(input, &chunk)
            .map_err(|error| error.to_string())
            .and_then(|document| {
                manifests::edit(&document, patch).map_err(|error| error.to_string())
            });
        match edited {
            Ok(edited) => text += &edited,
            Err(error) => {
                errors += &error;
                errors.push('\n');
                text += std::str::from_utf8(&input[chunk.range]).unwrap();
            }
        }
    }
    (text, errors)
}

#[test]
fn every_case_is_edited_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = String::new();
    let cases = cases();
    assert!(cases.len() >= 25, "cases are missing");
    for case in &cases {
        let extension = if case.join("input.json").exists() {
            "json"
        } else {
            "yaml"
        };
        let input = fs::read(case.join("input").with_extension(extension)).unwrap();
        let patch = fs::read(case.join("patch.json")).unwrap();
        let patch = serde_json::from_slice(&patch).unwrap();
        let (text, errors) = edit_stream(&input, &patch);
        let results = [
            (case.join("expected").with_extension(extension), text),
            (case.join("errors.txt"), errors),
        ];
        for (path, result) in results {
            let known = fs::read_to_string(&path).unwrap_or_default();
            if known == result {
                continue;
            }
            if !update {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
                wrong += &unified_diff(&name.display().to_string(), &known, &result);
            } else if result.is_empty() {
                fs::remove_file(&path).unwrap();
            } else {
                fs::write(&path, result).unwrap();
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "if this is better, UPDATE_GOLDEN=1 takes it:\n{wrong}"
    );
}

/// Whatever the golden files say: of what was there, comments and all, only text is gone that an
/// added thing took the place of, which in these cases is a scalar, a null or empty brackets.
#[test]
fn nothing_is_lost() {
    let word = |text: &str| -> Vec<String> {
        let separators = |c: char| c.is_whitespace() || "{}[],".contains(c);
        let words = text.split(separators).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    for case in cases() {
        let extension = if case.join("input.json").exists() {
            "json"
        } else {
            "yaml"
        };
        let input = fs::read_to_string(case.join("input").with_extension(extension)).unwrap();
        let patch = fs::read(case.join("patch.json")).unwrap();
        let patch = serde_json::from_slice(&patch).unwrap();
        let (text, _) = edit_stream(input.as_bytes(), &patch);
        let mut written = word(&text).into_iter();
        for word in word(&input) {
            let replaced = matches!(word.as_str(), "30" | "null" | "~");
            assert!(
                replaced || written.any(|other| other == word),
                "{}: {word:?} is gone or moved",
                case.display()
            );
        }
    }
}

/// What is said of documents that cannot be read, and where.
#[test]
fn errors_say_what_and_where() {
    let cases: [(&[u8], &str); 12] = [
        (
            b"a: 1\n---\nb: 1\nb: 2\n",
            "4:1: the key \"b\" is given twice",
        ),
        (b"a: b\n\xff\n", "2:1: this is not UTF-8"),
        (b"\xff\xfea\0", "1:1: this is UTF-16, save it as UTF-8"),
        (b"a: .inf\n", "1:4: JSON has no number .inf"),
        (b"a: !!int x\n", "1:10: \"x\" is no !!int"),
        (
            b"a: 1\n<<: 2\n",
            "2:5: a merge key needs a mapping or a list of mappings",
        ),
        (b"? [a]\n: 1\n", "1:3: a key must be a string"),
        (b"null: 1\n", "1:1: a key must be a string"),
        (b"a: *b\n", "1:4: while parsing node, found unknown anchor"),
        (
            b"{\"a\": 1}\n{\"a\": 1, \"a\": 2}",
            "2:10: the key \"a\" is given twice",
        ),
        (b"{\"a\": 1}\n{\"b\" 2}", "2:6: expected `:`"),
        (
            b"a:\n\t- b\n",
            "2:2: tabs disallowed within this context (block indentation)",
        ),
    ];
    for (bytes, expected) in cases {
        let chunks = manifests::split(bytes);
        let errors: Vec<String> = chunks
            .iter()
            .filter_map(|chunk| manifests::read(bytes, chunk).err())
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [expected]);
    }
}

/// Positions are those of the whole file, for keys, items, and what came through an alias.
#[test]
fn everything_is_found() {
    let text = "# one\n---\nbase: &base {ä: 1, x: [y]}\nkind: Pod\nspec:\n- name: a\n- *base\nm:\n  <<: *base\n";
    let chunks = manifests::split(text.as_bytes());
    let document = manifests::read(text.as_bytes(), &chunks[0]).unwrap();
    let at = |pointer: &str| document.position(pointer).map(|p| (p.line, p.column));
    assert_eq!(at(""), Some((3, 1)));
    assert_eq!(at("/kind"), Some((4, 1)));
    assert_eq!(at("/spec/0"), Some((6, 3)));
    assert_eq!(at("/spec/0/name"), Some((6, 3)));
    assert_eq!(at("/spec/1"), Some((7, 3)));
    assert_eq!(at("/spec/1/x"), Some((3, 20)));
    assert_eq!(at("/m/x/0"), Some((3, 24)));
    assert_eq!(at("/spec/2"), None);
    let nearest = document.nearest("/spec/0/startupProbe/httpGet");
    assert_eq!((nearest.line, nearest.column), (6, 3));
    let empty = manifests::split(b"---\n# nothing\n");
    let empty = manifests::read(b"---\n# nothing\n", &empty[0]).unwrap();
    assert!(empty.value().is_null());
}

/// What Kubernetes' reader makes of merge keys, keys that are no strings, and tags.
#[test]
fn yaml_means_what_it_means_to_kubernetes() {
    let cases = [
        (
            "b: &b {a: 1, c: 2}\nm: {a: 9, <<: *b}\nn: {<<: *b, a: 9}",
            r#"{"b":{"a":1,"c":2},"m":{"a":1,"c":2},"false":{"a":9,"c":2}}"#,
        ),
        (
            "b: &b {a: 1}\nc: &c {a: 7, d: 2}\nm: {<<: [*b, *c]}",
            r#"{"b":{"a":1},"c":{"a":7,"d":2},"m":{"a":1,"d":2}}"#,
        ),
        (
            "5: a\n1.50: b\non: c\n'<<': d",
            r#"{"5":"a","1.5":"b","true":"c","<<":"d"}"#,
        ),
        (
            "a: !!str 5\nb: !!int '5'\nc: !Ref x\nd: !!binary aGk=",
            r#"{"a":"5","b":5,"c":"x","d":"hi"}"#,
        ),
        ("a: |\n  x", r#"{"a":"x"}"#),
    ];
    for (yaml, expected) in cases {
        let chunk = &manifests::split(yaml.as_bytes())[0];
        let document = manifests::read(yaml.as_bytes(), chunk).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(*document.value(), expected, "{yaml}");
    }
}

fn names(sources: Sources<&[u8]>) -> Vec<String> {
    sources
        .map(|source| source.map_or_else(|error| format!("error {error}"), |source| source.name))
        .collect()
}

#[test]
fn files_folders_and_standard_input_are_sources() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir_all(root.join("b/deep")).unwrap();
    for name in [
        "z.yaml",
        "a.yml",
        "c.json",
        "notes.md",
        "b/x.yaml",
        "b/deep/y.yaml",
    ] {
        fs::write(root.join(name), name).unwrap();
    }
    let sources = |arguments: &[PathBuf], recursive| {
        let found = names(Sources::new(
            arguments.to_vec(),
            recursive,
            b"stdin".as_slice(),
        ));
        let root = format!("{}/", root.display());
        found
            .into_iter()
            .map(|name| name.replace(&root, ""))
            .collect::<Vec<_>>()
    };
    let given = [root.to_owned()];
    assert_eq!(sources(&given, false), ["a.yml", "c.json", "z.yaml"]);
    assert_eq!(
        sources(&given, true),
        ["a.yml", "b/deep/y.yaml", "b/x.yaml", "c.json", "z.yaml"]
    );
    let given = [
        root.join("notes.md"),
        root.join("none"),
        "-".into(),
        "-".into(),
    ];
    assert_eq!(
        sources(&given, false),
        [
            "notes.md",
            "error none: there is no such file or folder",
            "-",
            "error -: standard input can be read only once"
        ]
    );
    let mut stdin = Sources::new(vec!["-".into()], false, b"stdin".as_slice());
    assert_eq!(stdin.next().unwrap().unwrap().bytes, b"stdin");
}

#[cfg(unix)]
#[test]
fn broken_links_and_loops_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("a")).unwrap();
    fs::write(root.join("z.yaml"), "").unwrap();
    std::os::unix::fs::symlink(root, root.join("a/up")).unwrap();
    std::os::unix::fs::symlink(root.join("none"), root.join("b.yaml")).unwrap();
    std::os::unix::fs::symlink(root.join("z.yaml"), root.join("link.yaml")).unwrap();
    let found = names(Sources::new(vec![root.to_owned()], true, b"".as_slice()));
    let root = root.display();
    assert_eq!(
        found,
        [
            format!("error {root}/a/up: this link leads back to {root}"),
            format!("error {root}/b.yaml: there is no such file or folder"),
            format!("{root}/link.yaml"),
            format!("{root}/z.yaml"),
        ]
    );
}

/// `git apply` takes the difference of every case, and makes the expected file of it.
#[test]
fn git_applies_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        std::process::Command::new("git")
            .args(arguments)
            .current_dir(folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap()
    };
    git(&["init", "--quiet"]);
    let mut patch = String::new();
    let mut expected = Vec::new();
    for case in cases() {
        let extension = if case.join("input.json").exists() {
            "json"
        } else {
            "yaml"
        };
        let read =
            |name: &str| fs::read_to_string(case.join(name).with_extension(extension)).unwrap();
        let name = format!("my {}.yaml", case.file_name().unwrap().display());
        fs::write(folder.path().join(&name), read("input")).unwrap();
        patch += &unified_diff(&name, &read("input"), &read("expected"));
        expected.push((name, read("expected")));
    }
    fs::write(folder.path().join("all.patch"), patch).unwrap();
    let applied = git(&["apply", "all.patch"]);
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );
    for (name, expected) in expected {
        assert_eq!(
            fs::read_to_string(folder.path().join(name)).unwrap(),
            expected
        );
    }
}
