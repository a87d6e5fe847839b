//! The images of the applications.

use std::path::Path;

use crate::image::Image;
use crate::node::Node;

/// What manifests call the specimen.
const SPECIMEN: &str = "localhost/specimen:test";

/// Makes what the manifests name known to the node.
pub(crate) fn import(node: &Node) -> Result<(), String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static/specimen");
    if !program.exists() {
        let program = program.display();
        return Err(format!("there is no {program}: make specimen"));
    }
    let image = Image::new(SPECIMEN)
        .file("/specimen", &program, 0o755)
        .user("65532:65532")
        .entrypoint(&["/specimen"]);
    node.import(&image)
}
