//! Where the report goes, and in which formats: one on standard output, any number in files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::audit::Report;
use crate::report::audit::{Next, Run, github, html, json, junit, sarif, table, wide, yaml};

/// Formats and files.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Outputs {
    /// How to print the report.
    #[arg(short, long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,
    /// Write the report to a file too, as sarif=podgrace.sarif; can be given several times.
    #[arg(long, value_name = "FORMAT=PATH", value_parser = output_file)]
    output_file: Vec<OutputFile>,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: by workload, worst first.
    Table,
    /// A line for each finding, nothing left out.
    Wide,
    /// One JSON document.
    Json,
    /// The same as YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test results.
    Junit,
    /// Annotations of a GitHub Actions workflow.
    Github,
    /// One page to open in a browser.
    Html,
}

#[derive(Debug, Clone)]
struct OutputFile {
    format: Format,
    path: PathBuf,
}

/// Reads `FORMAT=PATH`.
fn output_file(text: &str) -> Result<OutputFile, String> {
    let (format, path) = text
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or("write FORMAT=PATH, as sarif=podgrace.sarif")?;
    if path == "-" {
        return Err(format!("for standard output write -o {format}"));
    }
    Ok(OutputFile {
        format: Format::from_str(format, false).map_err(|_| {
            let names: Vec<String> = Format::value_variants()
                .iter()
                .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
                .collect();
            format!("no format {format}; there are {}", names.join(", "))
        })?,
        path: path.into(),
    })
}

impl Outputs {
    /// Whether a format shows what to write to end a finding.
    pub(super) fn write_fixes(&self) -> bool {
        use Format::{Github, Html, Json, Junit, Sarif, Table, Wide, Yaml};
        self.formats().any(|format| match format {
            Json | Yaml | Junit | Html => true,
            Table | Wide | Sarif | Github => false,
        })
    }

    /// Whether a format shows pods' lives.
    pub(super) fn show_lives(&self) -> bool {
        self.formats().any(|format| format == Format::Html)
    }

    fn formats(&self) -> impl Iterator<Item = Format> {
        let files = self.output_file.iter().map(|file| file.format);
        files.chain([self.output])
    }

    /// The files that are written.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.output_file.iter().map(|file| &*file.path)
    }

    /// Prints the report and writes the files.
    pub(super) fn write(&self, report: &Report, run: &Run, next: &Next) -> anyhow::Result<()> {
        for file in &self.output_file {
            file.write(report, run, next)
                .with_context(|| file.path.display().to_string())?;
        }
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        write(self.output, report, run, next, &mut out)?;
        out.flush()?;
        Ok(())
    }
}

impl OutputFile {
    fn write(&self, report: &Report, run: &Run, next: &Next) -> anyhow::Result<()> {
        if let Some(folder) = self.path.parent().filter(|path| *path != Path::new("")) {
            std::fs::create_dir_all(folder)?;
        }
        let file = std::fs::File::create(&self.path)?;
        // A file is no terminal: styles are taken out.
        let mut out = anstream::StripStream::new(file);
        let mut out = io::BufWriter::new(&mut out);
        write(self.format, report, run, next, &mut out)?;
        out.flush()?;
        Ok(())
    }
}

fn write(
    format: Format,
    report: &Report,
    run: &Run,
    next: &Next,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match format {
        Format::Table => out.write_all(table(report, next).as_bytes())?,
        Format::Wide => out.write_all(wide(report).as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &json(report))?;
            out.write_all(b"\n")?;
        }
        Format::Yaml => out.write_all(yaml(report)?.as_bytes())?,
        Format::Sarif => {
            serde_json::to_writer_pretty(&mut *out, &sarif(report, run))?;
            out.write_all(b"\n")?;
        }
        Format::Junit => out.write_all(junit(report, run).as_bytes())?,
        Format::Github => out.write_all(github(report, run).as_bytes())?,
        Format::Html => html(report, run, out)?,
    }
    Ok(())
}
