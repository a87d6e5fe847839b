//! The report as one page that stands alone: no network, and readable without scripts.
//!
//! What a workload's line opens to stands in a `noscript` element: where scripts run it is one text, which
//! costs next to nothing until the line is opened and the script makes elements of it; where they do not, it
//! is what the browser shows. So a page of thousands of workloads opens and filters at once.

mod workload;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::xml::Escaped;
use super::{Run, number, summary};
use crate::audit::{Accepted, Counts, Found, Report};
use crate::lifecycle::audit::{Rule, Severity};
use workload::Shown;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The only script that the page may run. A test says what to write here.
const SCRIPT_SHA256: &str = "s4rk5v66UwIeoYQwkdItUSx6W149WPNsUbOVypoP6rQ=";

/// How many findings stand at the top.
const FIRST: usize = 3;

/// Writes a report as a page.
///
/// # Errors
/// Where it cannot be written.
pub fn html(report: &Report, run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let shown = shown(report);
    let counts = report.counts();
    head(out, report, &counts)?;
    totals(out, &counts)?;
    unreadable(out, report, run)?;
    not_looked_at(out, report, run)?;
    first(out, report, &shown)?;
    rules(out, report)?;
    workloads(out, &shown, run, &counts)?;
    write!(
        out,
        "</main>\n<footer><p>Podgrace {}. Nothing in this page is loaded from anywhere.</p></footer>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Every workload with what is said about it, worst first, those without findings last.
fn shown(report: &Report) -> Vec<Shown<'_>> {
    let mut accepted: BTreeMap<usize, Vec<&Accepted>> = BTreeMap::new();
    for one in &report.accepted {
        accepted.entry(one.found.workload).or_default().push(one);
    }
    let mut order: Vec<(usize, Vec<&Found>)> = report
        .by_workload()
        .into_iter()
        .filter_map(|(_, findings)| Some((findings.first()?.workload, findings)))
        .collect();
    let found: BTreeSet<usize> = order.iter().map(|(workload, _)| *workload).collect();
    let others = (0..report.workloads.len()).filter(|workload| !found.contains(workload));
    order.extend(others.map(|workload| (workload, Vec::new())));
    let all = order.into_iter().enumerate();
    all.map(|(index, (workload, findings))| Shown {
        index,
        looked: &report.workloads[workload],
        accepted: accepted.remove(&workload).unwrap_or_default(),
        findings,
    })
    .collect()
}

fn head(out: &mut dyn Write, report: &Report, counts: &Counts) -> io::Result<()> {
    let summary = summary(report, counts);
    let summary = Escaped(&summary);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{SCRIPT_SHA256}'; base-uri 'none'; form-action 'none'\">\n\
         <title>Podgrace audit: {summary}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#workloads\">Skip to the workloads</a>\n\
         <header><h1>Podgrace audit</h1><p>{summary}</p>\
         <button type=\"button\" id=\"theme\" hidden>Dark</button></header>\n<main>\n"
    )
}

fn totals(out: &mut dyn Write, counts: &Counts) -> io::Result<()> {
    out.write_all(b"<section aria-labelledby=\"totals\">\n<h2 id=\"totals\">Totals</h2>\n<dl class=\"totals\">\n")?;
    let affected = format!("of {} have a finding", number(counts.workloads, "workload"));
    for (class, value, what) in [
        (
            "error",
            counts.errors,
            "errors: it does not work as written",
        ),
        ("warning", counts.warnings, "warnings: requests are lost"),
        ("info", counts.infos, "notes: good to know"),
        ("", counts.affected, affected.as_str()),
        (
            "",
            counts.injected,
            "findings that Podgrace mends by itself",
        ),
        (
            "",
            counts.left_alone,
            "workloads that somebody wants left alone",
        ),
        ("", counts.known, "findings in the baseline"),
        ("", counts.accepted, "findings that somebody accepts"),
        (
            "",
            counts.not_looked_at,
            "objects of kinds that are not known",
        ),
        ("", counts.unreadable, "documents that could not be read"),
    ] {
        let is_always_there =
            matches!(class, "error" | "warning" | "info") || value == counts.affected;
        if value > 0 || is_always_there {
            writeln!(
                out,
                "<div class=\"{class}\"><dt>{what}</dt><dd>{value}</dd></div>"
            )?;
        }
    }
    out.write_all(b"</dl>\n</section>\n")
}

fn unreadable(out: &mut dyn Write, report: &Report, run: &Run) -> io::Result<()> {
    let items = report.unreadable.iter().map(|unreadable| {
        let file = unreadable.file.as_deref();
        let place = file.map(|file| (file, unreadable.at));
        (place, unreadable.message.as_str())
    });
    list(out, run, ("unreadable", "Could not be read"), items)
}

fn not_looked_at(out: &mut dyn Write, report: &Report, run: &Run) -> io::Result<()> {
    let items = report.not_looked_at.iter().map(|kind| {
        let first = kind.first.as_ref();
        let place = first.map(|place| (&*place.file, Some((place.line, place.column))));
        (place, kind.sentence.as_str())
    });
    list(out, run, ("not-looked-at", "Not looked at"), items)
}

/// A section of sentences, each with its place; none where there are no sentences.
fn list<'r>(
    out: &mut dyn Write,
    run: &Run,
    (id, title): (&str, &str),
    items: impl Iterator<Item = (Option<(&'r str, Option<(usize, usize)>)>, &'r str)>,
) -> io::Result<()> {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    write!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n<ul>\n"
    )?;
    for (place, message) in items {
        let place = place.map_or(String::new(), |(file, at)| {
            let path = run.paths.relative(file);
            let at = at.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
            format!("<code>{}{at}</code> ", Escaped(&path))
        });
        writeln!(out, "<li>{place}{}</li>", Escaped(message))?;
    }
    out.write_all(b"</ul>\n</section>\n")
}

/// The findings to look at first: the worst ones, of each rule one.
fn first(out: &mut dyn Write, report: &Report, shown: &[Shown<'_>]) -> io::Result<()> {
    let mut rules: Vec<&Rule> = Vec::new();
    let mut chosen: Vec<(&Shown<'_>, usize, &Found)> = Vec::new();
    for found in &report.findings {
        if chosen.len() == FIRST || rules.contains(&found.finding.rule) {
            continue;
        }
        let place = shown.iter().find_map(|one| {
            let mut all = one.findings.iter();
            let index = all.position(|other| std::ptr::eq(*other, found))?;
            Some((one, index, found))
        });
        rules.push(found.finding.rule);
        chosen.extend(place);
    }
    if chosen.is_empty() {
        return Ok(());
    }
    out.write_all(
        b"<section aria-labelledby=\"first\">\n<h2 id=\"first\">What matters first</h2>\n<ol class=\"first\">\n",
    )?;
    for (one, index, found) in chosen {
        let title = one.looked.title();
        writeln!(
            out,
            "<li><a href=\"#{}\">{}: {}</a><br>{}</li>",
            one.finding_id(index),
            Escaped(&title),
            found.finding.rule.name,
            Escaped(&found.finding.message)
        )?;
    }
    out.write_all(b"</ol>\n</section>\n")
}

/// A rule that found something.
struct Row<'r> {
    rule: &'r Rule,
    severity: Severity,
    findings: usize,
    workloads: BTreeSet<usize>,
}

/// The rules that found something.
fn rules(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    let mut counts: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for found in &report.findings {
        let rule = found.finding.rule;
        // The worst comes first: it can be milder than what the rule finds elsewhere.
        let row = counts.entry(rule.name).or_insert_with(|| Row {
            rule,
            severity: found.finding.severity,
            findings: 0,
            workloads: BTreeSet::new(),
        });
        row.findings += 1;
        row.workloads.insert(found.workload);
    }
    if counts.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<Row<'_>> = counts.into_values().collect();
    rows.sort_by_key(|row| (Reverse(row.severity), Reverse(row.rule.harm)));
    out.write_all(
        b"<section aria-labelledby=\"rules\">\n<h2 id=\"rules\">By rule</h2>\n<div class=\"scroll\"><table>\n\
          <thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Finds</th>\
          <th scope=\"col\" class=\"n\">Findings</th><th scope=\"col\" class=\"n\">Workloads</th></tr></thead>\n<tbody>\n",
    )?;
    for row in rows {
        let (rule, count, workloads) = (row.rule, row.findings, row.workloads);
        let (name, word) = (rule.name, row.severity.word());
        let page = rule.page();
        // The page of an installed documentation; a path in a repository leads nowhere from here.
        let more = if page.contains("://") {
            format!(" <a href=\"{}\">more</a>", Escaped(&page))
        } else {
            String::new()
        };
        writeln!(
            out,
            "<tr id=\"rule-{name}\"><th scope=\"row\"><b class=\"{word}\">{word}</b> \
             <button type=\"button\" class=\"rule\" data-rule=\"{name}\">{name}</button></th>\
             <td>{}{more}</td><td class=\"n\">{count}</td><td class=\"n\">{}</td></tr>",
            Escaped(rule.about),
            workloads.len()
        )?;
    }
    out.write_all(
        b"</tbody>\n</table></div>\n<p class=\"faint\">What happens in each, second by second: \
          <code>podgrace audit rules RULE</code></p>\n</section>\n",
    )
}

fn workloads(
    out: &mut dyn Write,
    shown: &[Shown<'_>],
    run: &Run,
    counts: &Counts,
) -> io::Result<()> {
    out.write_all(
        b"<section aria-labelledby=\"workloads\">\n<h2 id=\"workloads\" tabindex=\"-1\">Workloads</h2>\n",
    )?;
    if shown.is_empty() {
        return out.write_all(b"<p>There is no workload in the input.</p>\n</section>\n");
    }
    filters(out, shown, counts)?;
    if shown.iter().any(|one| one.looked.lives.is_some()) {
        out.write_all(workload::LEGEND.as_bytes())?;
    }
    out.write_all(b"<div id=\"list\">\n")?;
    for one in shown {
        one.write(out, run)?;
    }
    out.write_all(
        b"</div>\n<p id=\"nothing\" hidden>No workload is left by these filters.</p>\n</section>\n",
    )
}

/// The form, which only a script can answer and so only a script shows.
fn filters(out: &mut dyn Write, shown: &[Shown<'_>], counts: &Counts) -> io::Result<()> {
    let namespaces: BTreeSet<&str> = shown.iter().map(Shown::namespace).collect();
    let rules: BTreeSet<&str> = shown
        .iter()
        .flat_map(|one| &one.findings)
        .map(|found| found.finding.rule.name)
        .collect();
    out.write_all(
        b"<form id=\"filters\" role=\"search\" hidden>\n\
          <label>Search <input type=\"search\" id=\"search\" autocomplete=\"off\" \
          placeholder=\"name, file, container, text\"></label>\n\
          <label>Namespace <select id=\"namespace\"><option value=\"\">all</option>",
    )?;
    for namespace in namespaces {
        let text = if namespace == "-" {
            "not said"
        } else {
            namespace
        };
        let (value, text) = (Escaped(namespace), Escaped(text));
        write!(out, "<option value=\"{value}\">{text}</option>")?;
    }
    out.write_all(
        b"</select></label>\n<label>Rule <select id=\"rule\"><option value=\"\">all</option>",
    )?;
    for rule in rules {
        write!(out, "<option>{rule}</option>")?;
    }
    out.write_all(b"</select></label>\n<fieldset><legend>Show</legend>")?;
    for severity in Severity::WORST_FIRST {
        let word = severity.word();
        write!(
            out,
            "<label><input type=\"checkbox\" name=\"severity\" value=\"{word}\" checked> {word}</label> "
        )?;
    }
    writeln!(
        out,
        "<label><input type=\"checkbox\" name=\"severity\" value=\"none\" checked> no finding</label></fieldset>\n\
         <p><output id=\"count\" aria-live=\"polite\">{}</output> <button type=\"reset\">Show all</button></p>\n</form>",
        number(counts.workloads, "workload")
    )
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn the_page_may_run_its_own_script() {
        let digest = ring::digest::digest(&ring::digest::SHA256, SCRIPT.as_bytes());
        let digest = base64::engine::general_purpose::STANDARD.encode(digest);
        assert_eq!(SCRIPT_SHA256, digest, "write the right one above");
        // Either would end its element.
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }
}
