//! The last stage of the Dockerfile, as an image made without a container engine: what tests run is what people
//! build.

use std::path::Path;

use crate::image::Image;

/// That image, with `program` for what an earlier stage would have built.
pub(crate) fn image(reference: &str, program: &Path) -> Result<Image, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = folder.join("Dockerfile");
    let text = std::fs::read_to_string(&file).map_err(|why| format!("Dockerfile: {why}"))?;
    let mut image = Image::new(reference);
    for line in last_stage(&text) {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        image = match (instruction, words.as_slice()) {
            ("FROM", ["scratch"]) => image,
            ("COPY", ["--from=build", _, to]) => image.file(to, program, 0o755),
            ("COPY", [from, to]) => image.file(to, &folder.join(from), 0o644),
            ("USER", [user]) => image.user(user),
            ("EXPOSE", ports) => ports.iter().fold(image, |image, port| image.port(port)),
            ("LABEL", _) => {
                let (name, value) = rest.split_once('=').ok_or("a LABEL without a value")?;
                image.label(name, value.trim_matches('"'))
            }
            ("ENTRYPOINT", _) => {
                let words: Vec<&str> = serde_json::from_str(rest).map_err(|why| why.to_string())?;
                image.entrypoint(&words)
            }
            _ => {
                return Err(format!(
                    "the Dockerfile's last stage says what this cannot do: {line}"
                ));
            }
        };
    }
    Ok(image)
}

/// The instructions after the last FROM, that one included. None of them spans lines.
fn last_stage(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut stage = Vec::new();
    for line in lines {
        if line.starts_with("FROM ") {
            stage.clear();
        }
        stage.push(line);
    }
    stage
}
