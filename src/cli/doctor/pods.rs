//! Going through the pods that run, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Arguments;
use crate::cli::audit::progress::Progress;
use crate::cluster::{PODS, ReadError, Reader, Scope};
use crate::doctor::Census;
use crate::lifecycle::settings::MODE_LABEL;

/// Up to how many namespaces are read one by one: behind it, one list of everything is less.
const ONE_BY_ONE: usize = 20;

/// Counts all pods that the webhook would be asked about; returns what could not be read.
pub(super) async fn count(
    arguments: &Arguments,
    reader: &Reader,
    census: &mut Census,
) -> Vec<ReadError> {
    let mut unread = Vec::new();
    let mut progress = Progress::new(false);
    let mut read = 0;
    for List { scope, except } in lists(arguments, census) {
        let mut pages = reader.list(&PODS, &scope);
        let is_new = |pod: &&Value| {
            let namespace = pod["metadata"]["namespace"].as_str();
            namespace.is_none_or(|name| !except.contains(name))
        };
        loop {
            match pages.next().await {
                Ok(Some(page)) => {
                    read += page.len();
                    page.iter().filter(is_new).for_each(|pod| census.add(pod));
                    progress.tell(|| format!("{read} pods"));
                }
                Ok(None) => break,
                Err(error) => {
                    unread.push(error);
                    break;
                }
            }
        }
    }
    unread
}

/// A list to go through.
struct List {
    scope: Scope,
    /// Namespaces whose pods come in another list.
    except: BTreeSet<String>,
}

/// What is to be listed: no more than it takes, and no pod twice.
fn lists(arguments: &Arguments, census: &Census) -> Vec<List> {
    let selector = arguments.selector.as_deref();
    let of = |namespace: Option<&str>, selector: Option<String>| List {
        scope: Scope {
            namespace: namespace.map(str::to_owned),
            selector,
        },
        except: BTreeSet::new(),
    };
    let stated = selector.map(str::to_owned);
    if let Some(name) = &arguments.namespace {
        return vec![of(Some(name), stated)];
    }
    let inside = census.looked_after();
    if inside.len() > ONE_BY_ONE {
        return vec![of(None, stated)];
    }
    // In all other namespaces, those that are in by themselves.
    let own = format!("{MODE_LABEL} in (enforce,audit)");
    let elsewhere = selector.map_or(own.clone(), |selector| format!("{selector},{own}"));
    let others = List {
        except: inside.iter().map(|name| (*name).to_owned()).collect(),
        ..of(None, Some(elsewhere))
    };
    let inside = inside
        .into_iter()
        .map(|name| of(Some(name), stated.clone()));
    inside.chain([others]).collect()
}
