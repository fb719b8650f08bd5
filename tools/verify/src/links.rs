//! Checks the links of the pages against the built site, offline.

use mdbook_markdown::pulldown_cmark::{Event, Parser, Tag, TagEnd};
use model::problem::Problem;
use model::project::Project;
use render::site::Page;
use model::{api, lock, references};
use scraper::{Html, Selector};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links, images and fragments on the pages that lead nowhere in the built site; links that leave the
/// site are not followed.
///
/// # Errors
///
/// A page or Cargo.lock cannot be read.
pub fn broken(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>, Problem> {
    let crates = lock::direct_dependencies(project)?;
    let mut targets = Targets {
        folder: site,
        ids: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    for page in pages {
        let text = project.read(&page.source)?;
        for link in links(&text) {
            let found = match &link.to {
                Some(to) => by_hand(&crates, to).and_then(|()| targets.find(&page.html, to)),
                None => Err(
                    "this reference has no definition (or this definition no reference)".to_owned(),
                ),
            };
            if let Err(message) = found {
                problems.push(Problem::at(&page.source, link.line, message));
            }
        }
    }
    Ok(problems)
}

/// The same for a document that is read as it lies in the repository: README.md, say.
///
/// # Errors
///
/// The document cannot be read.
pub fn broken_in_document(project: &Project, document: &str) -> Result<Vec<Problem>, Problem> {
    let mut targets = Targets {
        folder: project.root(),
        ids: BTreeMap::new(),
    };
    let text = project.read(document)?;
    let found = links(&text).into_iter().filter_map(|link| {
        let found = match &link.to {
            Some(to) => targets.find(Path::new(document), to),
            None => {
                Err("this reference has no definition (or this definition no reference)".to_owned())
            }
        };
        let message = found.err()?;
        Some(Problem::at(document, link.line, message))
    });
    Ok(found.collect())
}

/// The files that a document's links and images lead to, relative to where its own path starts.
pub fn targets(document: &str, text: &str) -> BTreeSet<PathBuf> {
    let paths = links(text).into_iter().filter_map(|link| {
        let to = link.to?;
        let path = to.split('#').next().filter(|path| !path.is_empty())?;
        resolve(Path::new(document), path)
    });
    paths.collect()
}

/// Refuses a link to the documentation of one of the book's crates that is written out: nothing would
/// tell when it goes stale.
fn by_hand(crates: &BTreeSet<String>, to: &str) -> Result<(), String> {
    let site = to
        .strip_prefix("https://docs.rs/")
        .or_else(|| to.strip_prefix("https://doc.rust-lang.org/"));
    let Some(below) = site else {
        return Ok(());
    };
    let first = below.split('/').next().unwrap_or_default();
    let is_ours = crates.contains(first) || ["std", "core", "alloc", "stable"].contains(&first);
    if !is_ours {
        return Ok(());
    }
    Err(format!(
        "the link `{to}` is written by hand and goes stale; name the API, as in [`JoinSet::len`] or \
         [text][tokio::task::JoinSet], and its link is made of Cargo.lock's version"
    ))
}

/// A link or image as it stands on a page; `None` where `[text][reference]` has no definition.
struct Link {
    line: usize,
    to: Option<String>,
}

fn links(page: &str) -> Vec<Link> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    // An API's name gets its definition when the page is expanded; `[x]` alone is text.
    let apis: BTreeSet<String> = api::named(page).into_iter().map(|api| api.label).collect();
    let undefined = references::undefined(page)
        .into_iter()
        .filter(|reference| !reference.is_shortcut && !apis.contains(&reference.label));
    let parser = Parser::new_ext(page, references::OPTIONS);
    let mut links = Vec::new();
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(Link {
                    line: line_of(range.start),
                    to: Some(dest_url.into_string()),
                });
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                let html = &page[range.clone()];
                links.extend(in_html(html).into_iter().map(|to| {
                    let within = html.find(&to).unwrap_or_default();
                    Link {
                        line: line_of(range.start + within),
                        to: Some(to),
                    }
                }));
            }
            _ => {}
        }
    }
    links.extend(undefined.map(|reference| Link {
        line: reference.line,
        to: None,
    }));
    links.extend(footnotes(page));
    links.sort_by_key(|link| link.line);
    links
}

/// Footnotes that are referred to and not written, or written and not referred to.
fn footnotes(page: &str) -> Vec<Link> {
    let line_of = |at: usize| 1 + page[..at].matches('\n').count();
    let mut written = BTreeMap::new();
    let mut referred = BTreeMap::new();
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::FootnoteDefinition(label)) => {
                written.insert(label.into_string(), line_of(range.start));
            }
            Event::FootnoteReference(label) => {
                referred.insert(label.into_string(), line_of(range.start));
            }
            // The parser takes one that is not written for text, in pieces.
            Event::Text(text) if text.starts_with('^') && page[..range.start].ends_with('[') => {
                referred.insert(text[1..].to_owned(), line_of(range.start));
            }
            _ => {}
        }
    }
    let lone = |one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>| -> Vec<usize> {
        let lone = one.iter().filter(|(label, _)| !other.contains_key(*label));
        lone.map(|(_, line)| *line).collect()
    };
    let lines = [lone(&referred, &written), lone(&written, &referred)].concat();
    lines
        .into_iter()
        .map(|line| Link { line, to: None })
        .collect()
}

/// What the elements in a piece of HTML lead to or show.
fn in_html(html: &str) -> Vec<String> {
    let names = ["href", "src", "poster", "data"];
    let selector = Selector::parse("*").expect("a constant selector");
    let fragment = Html::parse_fragment(html);
    let attributes = fragment.select(&selector).flat_map(|element| {
        let values = names.map(|name| element.value().attr(name).map(str::to_owned));
        values.into_iter().flatten()
    });
    attributes.collect()
}

struct Targets<'a> {
    /// The built site, or the repository.
    folder: &'a Path,
    /// The ids of each page or document that was looked at.
    ids: BTreeMap<PathBuf, BTreeSet<String>>,
}

impl Targets<'_> {
    fn find(&mut self, page: &Path, to: &str) -> Result<(), String> {
        if ["https://", "http://", "mailto:"]
            .iter()
            .any(|start| to.starts_with(start))
        {
            return Ok(());
        }
        if let Some((scheme, _)) = to.split_once("://") {
            return Err(format!(
                "the link `{to}` is no address: there is no `{scheme}://`; https:// was meant?"
            ));
        }
        let (path, fragment) = to.split_once('#').unwrap_or((to, ""));
        let target = if path.is_empty() {
            page.to_owned()
        } else {
            let file = resolve(page, path)
                .ok_or_else(|| format!("the link `{to}` leads out of the book"))?;
            let is_page = page.extension().is_some_and(|ending| ending == "html");
            if is_page && file.extension().is_some_and(|ending| ending == "md") {
                file.with_extension("html")
            } else {
                file
            }
        };
        let file = self.folder.join(&target);
        if !file.exists() {
            return Err(format!(
                "the link `{to}` leads to {}, which does not exist",
                target.display()
            ));
        }
        if fragment.is_empty() || self.ids(&target, &file)?.contains(fragment) {
            return Ok(());
        }
        let known: Vec<_> = self.ids[&target].iter().map(String::as_str).collect();
        let near = known.iter().max_by(|a, b| {
            strsim::jaro_winkler(a, fragment).total_cmp(&strsim::jaro_winkler(b, fragment))
        });
        let hint = near.map_or(String::new(), |near| format!("; did you mean `#{near}`?"));
        Err(format!(
            "the link `{to}` leads to a heading that {} does not have{hint}",
            target.display()
        ))
    }

    fn ids(&mut self, target: &Path, file: &Path) -> Result<&BTreeSet<String>, String> {
        if !self.ids.contains_key(target) {
            let text = fs::read_to_string(file)
                .map_err(|error| format!("{}: {error}", target.display()))?;
            let ids = match target.extension() {
                Some(ending) if ending == "md" => heading_ids(&text),
                _ => element_ids(&text),
            };
            self.ids.insert(target.to_owned(), ids);
        }
        Ok(&self.ids[target])
    }
}

fn element_ids(html: &str) -> BTreeSet<String> {
    let selector = Selector::parse("[id]").expect("a constant selector");
    let page = Html::parse_document(html);
    let ids = page.select(&selector).filter_map(|e| e.value().attr("id"));
    ids.map(str::to_owned).collect()
}

/// The ids that a repository's site gives to the headings of a document.
fn heading_ids(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut heading = None;
    for event in Parser::new_ext(text, references::OPTIONS) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let words = heading.take().unwrap_or_default().to_lowercase();
                let kept = words.chars().filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
                    _ => None,
                });
                ids.insert(kept.collect());
            }
            _ => {}
        }
    }
    ids
}

/// The file that a relative path on a page names, or `None` where it leaves the site.
fn resolve(page: &Path, path: &str) -> Option<PathBuf> {
    let mut file = page.parent()?.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => file.push(name),
            Component::CurDir => {}
            Component::ParentDir if file.pop() => {}
            _ => return None,
        }
    }
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_images_and_undefined_references_with_their_lines() {
        let page = "[a](b.md)\n\n![c](d.png) and [e][f]\n\n[g], `[h][i]`, [j]\n\n[j]: k.md#l\n\na <a href=\"m.md\">m</a>\n\n<div>\n<img src=\"n.png\">\n</div>\n";
        let found: Vec<_> = links(page)
            .into_iter()
            .map(|link| (link.line, link.to))
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                (1, some("b.md")),
                (3, some("d.png")),
                (3, None),
                (5, some("k.md#l")),
                (9, some("m.md")),
                (12, some("n.png"))
            ]
        );
    }

    #[test]
    fn the_headings_of_a_document_have_the_ids_of_a_repository() {
        let ids = heading_ids("# Two commands\n\n## `cargo test`, and why\n");
        assert_eq!(
            ids,
            ["cargo-test-and-why", "two-commands"]
                .map(str::to_owned)
                .into()
        );
    }

    #[test]
    fn relative_paths_stay_in_the_site() {
        let page = Path::new("tasks/waiting.html");
        assert_eq!(
            resolve(page, "../quick_start.md"),
            Some("quick_start.md".into())
        );
        assert_eq!(
            resolve(page, "./limiting.md"),
            Some("tasks/limiting.md".into())
        );
        assert_eq!(resolve(page, "../../Cargo.toml"), None);
        assert_eq!(resolve(page, "/etc/passwd"), None);
    }

    #[test]
    fn a_footnote_has_both_ends() {
        let lines = |page: &str| -> Vec<usize> {
            footnotes(page).into_iter().map(|link| link.line).collect()
        };
        assert!(lines("a[^1]\n\n[^1]: b\n").is_empty());
        assert_eq!(lines("a\n\nb[^1]\n"), [3]);
        assert_eq!(lines("a\n\n[^1]: b\n"), [3]);
    }
}
