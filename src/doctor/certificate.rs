//! Whether the API server takes the certificate that is served, and for how long it will.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use super::facts::{Backend, Facts, Served};
use super::hooks::{Hook, Target};
use super::report::{Check, Report, Topic};
use crate::certs::{Certificate, Contents, Leaf, Names, Store, Unusable, certificates};
use crate::lifecycle::seconds;

const TOPIC: Topic = Topic::Certificate;

/// How much of its life a certificate has left when it should long have been renewed: `serve` and cert-manager
/// do it after two thirds.
const LATE: i32 = 6;

/// When somebody should look at a certificate of which only the end is known.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is never too late: of a certificate of ten years, a sixth is.
const LONG: SignedDuration = SignedDuration::from_hours(28 * 24);

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    for backend in &facts.backends {
        let hooks: Vec<&Hook> = facts
            .hooks
            .iter()
            .chain(&facts.validating)
            .flatten()
            .filter(|hook| hook.is_ours && hook.target == backend.target)
            .collect();
        Judge {
            facts,
            backend,
            hooks,
        }
        .judge(report);
    }
}

/// The certificate of one backend, and who calls it.
struct Judge<'f> {
    facts: &'f Facts,
    backend: &'f Backend,
    hooks: Vec<&'f Hook>,
}

impl Judge<'_> {
    fn judge(&self, report: &mut Report) {
        let before = report.checks.len();
        let served = self.served(report);
        if let Some(chain) = &served
            && let Some(leaf) = Certificate::read(chain)
        {
            self.age(Some(leaf.not_before), leaf.not_after, report);
        } else if let Some(Ok(ops)) = &self.backend.ops
            && let Some(until) = ops.certificate_until
        {
            self.age(None, until, report);
        }
        self.bundles(served.as_deref(), report);
        if report.checks.len() == before
            && let Some(well) = self.well(served.as_deref())
        {
            report.add(well);
        }
    }

    /// The certificates that are served, in PEM; none where they are not known.
    fn served(&self, report: &mut Report) -> Option<String> {
        let (name, secret) = match &self.backend.served {
            Served::Unknown => return None,
            Served::Handshake(handshake) if handshake.chain.is_empty() => return None,
            Served::Handshake(handshake) => return Some(handshake.chain.concat()),
            Served::Secret(name, secret) => (name, secret),
        };
        let secret = match secret {
            // The API server has just taken it: what is in the Secret proves no more.
            Err(_) if self.facts.is_proven() => return None,
            Err(error) => {
                report.add(Check::unseen(TOPIC, error));
                return None;
            }
            Ok(secret) => secret,
        };
        let secret = secret
            .as_ref()
            .and_then(|s| serde_json::from_value(s.clone()).ok());
        match Store::contents(secret.as_ref()) {
            Ok(Contents { leaf, .. }) => Some(leaf.certificate),
            // Whoever serves from files may keep no CA beside them.
            Err(Unusable::Broken(why)) if why.starts_with("ca.crt") => {
                let data = secret.and_then(|secret| secret.data)?;
                String::from_utf8(data.get("tls.crt")?.0.clone()).ok()
            }
            Err(why) => {
                let check = match &secret {
                    None => Check::error(
                        TOPIC,
                        "secret-missing",
                        format!("there is no Secret {name}, where the certificate belongs"),
                    ),
                    Some(_) => {
                        Check::error(TOPIC, "secret-broken", format!("Secret {name}: {why}"))
                    }
                };
                report.add(self.renewed(check));
                None
            }
        }
    }

    /// How far its life has gone, of which the beginning may not be known.
    fn age(&self, from: Option<Timestamp>, until: Timestamp, report: &mut Report) {
        let left = until.duration_since(self.facts.now);
        let late = from.map_or(SOON, |from| until.duration_since(from) / LATE);
        if let Some(from) = from.filter(|from| *from > self.facts.now) {
            let message = format!(
                "the certificate is valid from {} on only: one of the clocks is wrong",
                day(from)
            );
            report.add(Check::error(TOPIC, "certificate-not-yet", message));
        } else if left.is_negative() {
            let message = format!(
                "the certificate expired on {}, {} ago: the API server takes no new connection with it{}",
                day(until),
                rough(left.abs()),
                match self.facts.is_proven() {
                    true => ", and only those that are open go on",
                    false => "",
                }
            );
            report.add(self.renewed(Check::error(TOPIC, "certificate-expired", message)));
        } else if left < late.min(LONG) {
            let message = format!(
                "the certificate expires on {}, in {}, and should have been renewed by now",
                day(until),
                rough(left)
            );
            report.add(self.renewed(Check::warning(TOPIC, "certificate-ends", message)));
        }
    }

    /// What makes a new certificate.
    fn renewed(&self, check: Check) -> Check {
        let Some(own) = self.backend.installation() else {
            return check.advise(
                "Put a new pair in place of its files; podgrace serve takes it without a restart",
            );
        };
        let (kubectl, namespace, name) = (&self.facts.kubectl, own.namespace(), own.name());
        if let Some(of) = self.certificate_of_manager() {
            let (namespace, name) = of.split_once('/').unwrap_or((namespace, of));
            return check
                .advise("cert-manager makes it; why it does not:")
                .run(format!(
                    "{kubectl} -n {namespace} describe certificate {name}"
                ));
        }
        if own.own_secret().is_none() {
            let secret = own.secret().unwrap_or_else(|| "of its volume".to_owned());
            return check.advise(format!(
                "It is served from files: put a new pair into the Secret {secret} of namespace {namespace}; no restart \
                 is needed"
            ));
        }
        check
            .advise("A podgrace serve that runs renews it by itself. Start it anew, and see what it says:")
            .run(format!("{kubectl} -n {namespace} rollout restart deployment/{name}"))
            .run(format!("{kubectl} -n {namespace} logs deployment/{name} --tail=50"))
    }

    fn certificate_of_manager(&self) -> Option<&str> {
        self.hooks.iter().find_map(|hook| hook.ca_from.as_deref())
    }

    /// The webhooks that the API server cannot call, those of one configuration and one reason together.
    fn bundles(&self, served: Option<&str>, report: &mut Report) {
        let mut wrong: Vec<(&str, String, Vec<&Hook>)> = Vec::new();
        for hook in &self.hooks {
            let Err((code, why)) = self.bundle(hook, served) else {
                continue;
            };
            let same = wrong.iter_mut().find(|(other, reason, hooks)| {
                *other == code && *reason == why && hooks[0].title() == hook.title()
            });
            match same {
                Some((_, _, hooks)) => hooks.push(hook),
                None => wrong.push((code, why, vec![hook])),
            }
        }
        for (code, why, hooks) in wrong {
            let names: Vec<&str> = hooks.iter().map(|hook| &*hook.name).collect();
            let message = format!("{}: {why} ({})", hooks[0].title(), names.join(", "));
            report.add(self.filled(Check::error(TOPIC, code, message), &hooks));
        }
    }

    /// Whether the API server trusts what is served.
    fn bundle(&self, hook: &Hook, served: Option<&str>) -> Result<(), (&'static str, String)> {
        const IN_VAIN: &str = "the API server does not trust the webhook and calls it in vain";
        let Some(bundle) = &hook.bundle else {
            // It may be an address with a certificate that everybody trusts.
            return match self.facts.is_proven() {
                true => Ok(()),
                false => Err((
                    "ca-bundle-empty",
                    format!("its caBundle is empty: {IN_VAIN}"),
                )),
            };
        };
        let all = certificates(bundle);
        if all.is_empty() {
            let why = format!("its caBundle holds no certificate in PEM: {IN_VAIN}");
            return Err(("ca-bundle-unreadable", why));
        }
        // An API server looks at the times of a CA too (crypto/x509), rustls does not.
        let now = self.facts.now;
        let is_valid = |ca: &&String| {
            Certificate::read(ca).is_some_and(|ca| ca.not_before <= now && now < ca.not_after)
        };
        let valid: Vec<String> = all.iter().filter(is_valid).cloned().collect();
        if valid.is_empty() {
            let why = format!("every CA of its caBundle has expired: {IN_VAIN}");
            return Err(("ca-expired", why));
        }
        let Some(served) = served else { return Ok(()) };
        // Of a leaf that has expired it is told already.
        let leaf = Certificate::read(&served.to_owned());
        let at = leaf.map_or(now, |leaf| now.clamp(leaf.not_before, leaf.not_after));
        let trusted = Leaf::trusted(served, &valid, &self.names(), SystemTime::from(at));
        let Err(why) = trusted else { return Ok(()) };
        let is_foreign = why.contains("UnknownIssuer") || why.contains("BadSignature");
        Err((
            "ca-bundle-other",
            match is_foreign {
                true => format!(
                    "its caBundle is of another CA than the certificate that is served: {IN_VAIN}"
                ),
                false => {
                    format!("the API server does not take the certificate that is served: {why}")
                }
            },
        ))
    }

    /// The name that the API server asks for.
    fn names(&self) -> Names {
        match (&self.backend.target, &self.backend.served) {
            (
                Target::Service {
                    namespace, name, ..
                },
                _,
            ) => Names::one(&format!("{name}.{namespace}.svc")),
            (_, Served::Handshake(handshake)) => Names::one(&handshake.name),
            (Target::Url(url), _) => Names::one(url),
        }
    }

    /// What puts the right bundle in.
    fn filled(&self, check: Check, hooks: &[&Hook]) -> Check {
        let kubectl = &self.facts.kubectl;
        let hook = hooks[0];
        if let Some(of) = &hook.ca_from {
            let logs = "logs deployment/cert-manager-cainjector --tail=20";
            return check
                .advise(format!(
                    "cert-manager's cainjector fills it in from {of}; why it does not:"
                ))
                .run(format!("{kubectl} -n cert-manager {logs}"));
        }
        let own = self.backend.installation();
        let (advice, bundle) = match own.and_then(|own| Some((own, own.own_secret()?))) {
            Some((own, secret)) => (
                format!(
                    "{} fills it in while it runs with --webhook-configuration={}; where it does not, its log says \
                     why. By hand:",
                    own.title(),
                    hook.configuration
                ),
                format!(
                    "{kubectl} -n {} get secret {secret} -o jsonpath='{{.data.ca\\.crt}}'",
                    own.namespace()
                ),
            ),
            None => (
                "Fill in the CA of the certificate that is served; from a file ca.crt:".to_owned(),
                "base64 -w0 ca.crt".to_owned(),
            ),
        };
        let operations = hooks.iter().map(|hook| {
            let path = format!("/webhooks/{}/clientConfig/caBundle", hook.index);
            format!(r#"{{\"op\":\"add\",\"path\":\"{path}\",\"value\":\"$CA\"}}"#)
        });
        let operations: Vec<String> = operations.collect();
        let (kind, name) = (hook.kind.to_lowercase(), &hook.configuration);
        check
            .advise(advice)
            .run(format!("CA=$({bundle})"))
            .run(format!(
                "{kubectl} patch {kind} {name} --type=json -p \"[{}]\"",
                operations.join(",")
            ))
    }

    /// That it is as it should be; nothing where nobody is there to serve one.
    fn well(&self, served: Option<&str>) -> Option<Check> {
        let trusted = match (served, self.facts.is_proven()) {
            (_, true) => "the API server takes it",
            (Some(_), false) => "caBundle fits it",
            (None, false) => return None,
        };
        let ops = self.backend.ops.as_ref().and_then(|ops| ops.as_ref().ok());
        let until = served
            .and_then(|chain| Some(Certificate::read(&chain.to_owned())?.not_after))
            .or_else(|| ops?.certificate_until);
        let until = until.map_or_else(String::new, |until| {
            let left = rough(until.duration_since(self.facts.now));
            format!(", until {} ({left} left)", day(until))
        });
        Some(Check::well(
            TOPIC,
            "certificate",
            format!("{trusted}{until}"),
        ))
    }
}

fn rough(duration: SignedDuration) -> String {
    seconds::rough(duration.as_secs().unsigned_abs())
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
