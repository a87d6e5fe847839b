//! One workload of the page: its line, and what the line opens to.

use std::fmt::Write as _;
use std::io;

use super::super::xml::Escaped;
use super::super::{Run, advice, number};
use crate::audit::{Accepted, Found, Lives, Looked};
use crate::lifecycle::audit::Severity;
use crate::lifecycle::timeline::{Ending, Life, PreStop, Start, Stop};
use crate::report::scale::Scale;
use crate::report::{timeline, words};

/// How wide a bar is drawn; the page scales it.
const BAR: f64 = 600.0;

/// How to read the bars.
pub(super) const LEGEND: &str = concat!(
    "<p class=\"legend faint\">Bars are the seconds after a deletion: ",
    "<svg viewBox=\"0 0 24 20\" aria-hidden=\"true\"><path class=\"hook\" d=\"M0 2h24v16H0z\"/></svg> preStop, ",
    "<svg viewBox=\"0 0 24 20\" aria-hidden=\"true\"><path class=\"term\" d=\"M8 0v20M8 0l7 3.5L8 7z\"/></svg> SIGTERM, ",
    "<svg viewBox=\"0 0 24 20\" aria-hidden=\"true\"><path class=\"work\" d=\"M0 7h24v6H0z\"/></svg> time to finish, ",
    "<svg viewBox=\"0 0 24 20\" aria-hidden=\"true\"><path class=\"kill\" d=\"M4 4l12 12M4 16l12-12\"/></svg> SIGKILL.</p>\n"
);

/// A workload with what is said about it.
pub(super) struct Shown<'r> {
    /// Its place on the page.
    pub(super) index: usize,
    pub(super) looked: &'r Looked,
    pub(super) findings: Vec<&'r Found>,
    pub(super) accepted: Vec<&'r Accepted>,
}

impl Shown<'_> {
    pub(super) fn namespace(&self) -> &str {
        self.looked.namespace.as_deref().unwrap_or("-")
    }

    /// The anchor of a finding.
    pub(super) fn finding_id(&self, finding: usize) -> String {
        format!("w{}-{finding}", self.index)
    }

    pub(super) fn write(&self, out: &mut dyn io::Write, run: &Run) -> io::Result<()> {
        let looked = self.looked;
        let mut rules: Vec<&str> = self.findings.iter().map(|f| f.finding.rule.name).collect();
        rules.dedup();
        let severities: Vec<(&str, usize)> = Severity::WORST_FIRST
            .into_iter()
            .map(|severity| {
                let all = self.findings.iter();
                let of_it = all.filter(|found| found.finding.severity == severity);
                (severity.word(), of_it.count())
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        let words = severities.iter().map(|(word, _)| *word);
        let words: Vec<&str> = words.collect();
        let mut badges = String::new();
        for (word, count) in &severities {
            // Writing to a string does not fail.
            let told = number(*count, if *word == "info" { "note" } else { word });
            let _ = write!(badges, " <b class=\"{word}\">{told}</b>");
        }
        if severities.is_empty() {
            badges.push_str(" <b class=\"none\">no finding</b>");
        }
        if looked.is_left_alone {
            badges.push_str(" <i>left alone</i>");
        }
        let place = looked.place.as_ref();
        let place = place.map_or(String::new(), |place| {
            format!("{}:{}", run.paths.relative(&place.file), place.line)
        });
        writeln!(
            out,
            "<details id=\"w{}\" data-n=\"{}\" data-r=\"{}\" data-s=\"{}\">\
             <summary><h3>{}</h3> <span>{}</span>{badges} <code>{}</code></summary>\
             <noscript>{}</noscript></details>",
            self.index,
            Escaped(self.namespace()),
            rules.join(" "),
            words.join(" "),
            Escaped(&looked.title()),
            Escaped(looked.namespace.as_deref().unwrap_or_default()),
            Escaped(&place),
            self.inside(run),
        )
    }

    /// What the line opens to.
    fn inside(&self, run: &Run) -> String {
        let mut out = String::new();
        if !self.findings.is_empty() {
            out.push_str("<h4>Findings</h4><ul class=\"findings\">");
            for (index, found) in self.findings.iter().enumerate() {
                self.finding(&mut out, run, index, found);
            }
            out.push_str("</ul>");
        }
        if let Some(lives) = &self.looked.lives {
            pictures(&mut out, lives);
        }
        let looked = self.looked;
        let adds = match looked.mode {
            "enforce" => "Podgrace adds",
            _ => "Podgrace would add",
        };
        list(&mut out, adds, &looked.changes);
        list(&mut out, "Left alone", &looked.skips);
        let accepted = self.accepted.iter().map(|accepted| {
            let rule = accepted.found.finding.rule.name;
            format!("{rule}: {}", accepted.reason)
        });
        list(&mut out, "Accepted", &accepted.collect::<Vec<_>>());
        if out.is_empty() {
            out.push_str("<p>Nothing to tell.</p>");
        }
        out
    }

    fn finding(&self, out: &mut String, run: &Run, index: usize, found: &Found) {
        let finding = &found.finding;
        let (word, rule) = (finding.severity.word(), finding.rule.name);
        let place = run.place(found);
        let id = self.finding_id(index);
        let _ = write!(
            out,
            "<li id=\"{id}\" tabindex=\"-1\" data-r=\"{rule}\" data-s=\"{word}\"><p><b class=\"{word}\">{word}</b> \
             <a href=\"#rule-{rule}\">{rule}</a> <code>{}</code></p><p>{}.</p>",
            Escaped(&place),
            Escaped(&finding.message)
        );
        if let Some(fix) = &finding.fix {
            let _ = write!(
                out,
                "<p class=\"fix\"><b>Fix</b> {}.</p>",
                Escaped(&advice(fix))
            );
            if let Some(yaml) = &fix.yaml {
                let yaml = Escaped(yaml.trim_end());
                let _ = write!(out, "<pre tabindex=\"0\">{yaml}</pre>");
            }
        }
        out.push_str("</li>");
    }
}

fn list(out: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(out, "<h4>{title}</h4><ul>");
    for item in items {
        let _ = write!(out, "<li>{}</li>", Escaped(item));
    }
    out.push_str("</ul>");
}

fn pictures(out: &mut String, lives: &Lives) {
    let Lives { before, after } = lives;
    if let Some(verdict) = words::verdict(before, after) {
        let _ = write!(out, "<p class=\"verdict\">{}</p>", Escaped(&verdict));
    }
    if !after.starts.is_empty() {
        out.push_str("<h4>Start</h4>");
        starts(out, before, after);
    }
    let (Some(old), Some(new)) = (timeline::usual(before), timeline::usual(after)) else {
        return;
    };
    out.push_str("<h4>Stop</h4>");
    let endings = || old.containers.iter().chain(&new.containers);
    let last = endings().map(|ending| ending.sigkill).max();
    let scale = Scale::new(last.unwrap_or(1), BAR);
    if old == new {
        stop(out, scale, "As it is", new);
    } else {
        stop(out, scale, "Before", old);
        stop(out, scale, "After", new);
    }
}

fn starts(out: &mut String, before: &Life, after: &Life) {
    out.push_str("<ul>");
    for (old, new) in before.starts.iter().zip(&after.starts) {
        let _ = write!(out, "<li><b>{}</b>", Escaped(&new.container));
        let mut tell = |label: &str, start: &Start| {
            let sentence = words::start(start).join(" ");
            let _ = write!(out, "<br><i>{label}:</i> {}", Escaped(&sentence));
        };
        if old == new {
            tell("as it is", new);
        } else {
            tell("before", old);
            tell("after", new);
        }
        out.push_str("</li>");
    }
    out.push_str("</ul>");
}

fn stop(out: &mut String, scale: Scale, title: &str, stop: &Stop) {
    let _ = write!(out, "<dl class=\"stop\"><dt>{title}</dt>");
    for ending in &stop.containers {
        let name = Escaped(&ending.container);
        let _ = write!(out, "<dd><b>{name}</b>");
        bar(out, scale, ending);
        let _ = write!(out, "<span>{}</span></dd>", Escaped(&words::ending(ending)));
    }
    out.push_str("</dl>");
}

/// The seconds of one container's end. The sentence below says the same, so readers of the page by ear
/// are not told of it.
fn bar(out: &mut String, scale: Scale, ending: &Ending) {
    let kill = scale.at(ending.sigkill);
    let earliest = scale.at(ending.sigterm).min(kill);
    let latest = scale.at(ending.sigterm_at_latest).min(kill);
    out.push_str("<svg viewBox=\"-2 -4 616 28\" aria-hidden=\"true\">");
    let mut path = |class: &str, d: &str| {
        let _ = write!(out, "<path class=\"{class}\" d=\"{d}\"/>");
    };
    if let PreStop::Sleep { seconds, .. } = ending.pre_stop {
        let hook = scale.at(seconds).min(earliest);
        path("hook", &format!("M0 2h{hook:.0}v16H0z"));
    }
    if latest > earliest {
        path(
            "maybe",
            &format!("M{earliest:.0} 2H{latest:.0}v16H{earliest:.0}z"),
        );
    }
    path("work", &format!("M{latest:.0} 7H{kill:.0}v6H{latest:.0}z"));
    if ending.sigterm == ending.sigterm_at_latest {
        path(
            "term",
            &format!("M{earliest:.0}-2v24M{earliest:.0}-2l7 3.5l-7 3.5z"),
        );
    }
    path("kill", &format!("M{0:.0} 4l12 12m0-12l-12 12", kill - 6.0));
    out.push_str("</svg>");
}
