//! Broken links: on the pages of the built site, and in documents of the repository. Nothing is downloaded.

use crate::{Lines, built_page, selector};
use mdbook_markdown::pulldown_cmark::{BrokenLink, CowStr, Event, Parser, Tag, TagEnd};
use model::ids::{heading_id, unique};
use model::problem::Problem;
use model::project::Project;
use model::{api, lock, references, suggest};
use render::site::Page;
use scraper::{Html, Selector};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::LazyLock;

/// The ids of the elements or headings in a file.
pub type Ids = Rc<BTreeSet<String>>;

/// Links, images, and fragments on the pages that lead nowhere in the built site, and links to documentation that
/// should be made from a name. Links to other sites aren't followed.
///
/// # Errors
///
/// A page or Cargo.lock can't be read.
pub fn broken(project: &Project, site: &Path, pages: &[Page]) -> Result<Vec<Problem>, Problem> {
    let crates = lock::direct_dependencies(project)?;
    let mut ids = BTreeMap::new();
    for page in pages {
        let html = built_page(site, page)?;
        ids.insert(page.html.clone(), Rc::new(element_ids(&html)));
    }
    // A file that no directive or page made has no ids to link to.
    let ids_of = |file: &Path| {
        let page = ids.get(file).cloned();
        page.or_else(|| site.join(file).exists().then(Ids::default))
    };
    let mut problems = Vec::new();
    for page in pages {
        let text = project.read(&page.source)?;
        problems.extend(broken_in(&page.source, &text, |to| {
            not_hand_written(&crates, to)?;
            check(&page.html, to, ids_of)
        }));
    }
    Ok(problems)
}

/// The same in a document that is read in the repository: README.md, for example.
///
/// # Errors
///
/// The document can't be read.
pub fn broken_in_document(project: &Project, document: &str) -> Result<Vec<Problem>, Problem> {
    let ids_of = |file: &Path| {
        let path = project.root().join(file);
        let is_markdown = file.extension().is_some_and(|ending| ending == "md");
        // A document that isn't text has no headings.
        let text = is_markdown.then(|| fs::read_to_string(&path).unwrap_or_default());
        path.exists()
            .then(|| Rc::new(heading_ids(&text.unwrap_or_default()).into_iter().collect()))
    };
    let text = project.read(document)?;
    Ok(broken_in(document, &text, |to| {
        check(Path::new(document), to, ids_of)
    }))
}

fn broken_in(file: &str, text: &str, check: impl Fn(&str) -> Result<(), String>) -> Vec<Problem> {
    let broken = links(text).into_iter().filter_map(|link| {
        let message = match &link.to {
            Some(to) => check(to).err()?,
            None => "this reference has no definition (or this definition no reference)".to_owned(),
        };
        Some(Problem::at(file, link.line, message))
    });
    broken.collect()
}

/// The files that a document's links and images lead to, relative to the folder that its own path starts from.
pub fn targets(document: &str, text: &str) -> BTreeSet<PathBuf> {
    let paths = links(text).into_iter().filter_map(|link| {
        let to = link.to?;
        let path = to.split('#').next().filter(|path| !path.is_empty())?;
        resolve(Path::new(document), path)
    });
    paths.collect()
}

/// Checks that a link in the file `from` leads to a file and, if it has a fragment, to an id there.
///
/// `ids_of` gives the ids in a file, or `None` if there is no such file. Links to other sites pass.
///
/// # Errors
///
/// The link leads nowhere; the message says where it would lead, and which id was probably meant.
pub fn check(from: &Path, to: &str, ids_of: impl Fn(&Path) -> Option<Ids>) -> Result<(), String> {
    let elsewhere = ["https://", "http://", "mailto:"];
    if elsewhere.iter().any(|start| to.starts_with(start)) {
        return Ok(());
    }
    if let Some((scheme, _)) = to.split_once("://") {
        return Err(format!(
            "the link `{to}` has an unknown scheme, `{scheme}://`; did you mean `https://`?"
        ));
    }
    let (path, fragment) = to.split_once('#').unwrap_or((to, ""));
    let mut target = from.to_owned();
    if !path.is_empty() {
        target =
            resolve(from, path).ok_or_else(|| format!("the link `{to}` leads out of the book"))?;
        let has_ending =
            |file: &Path, ending: &str| file.extension().is_some_and(|it| it == ending);
        if has_ending(from, "html") && has_ending(&target, "md") {
            target.set_extension("html");
        }
    }
    let shown = target.display();
    let Some(ids) = ids_of(&target) else {
        return Err(format!(
            "the link `{to}` leads to {shown}, which does not exist"
        ));
    };
    if fragment.is_empty() || ids.contains(fragment) {
        return Ok(());
    }
    let hint = suggest::nearest(fragment, ids.iter().map(String::as_str));
    let hint = hint.map_or(String::new(), |near| format!("; did you mean `#{near}`?"));
    Err(format!(
        "the link `{to}` leads to a heading that {shown} does not have{hint}"
    ))
}

/// Refuses a hand-written link to the documentation of one of the book's crates: nothing notices when it goes stale.
fn not_hand_written(crates: &BTreeSet<String>, to: &str) -> Result<(), String> {
    let sites = ["https://docs.rs/", "https://doc.rust-lang.org/"];
    let Some(below) = sites.iter().find_map(|site| to.strip_prefix(site)) else {
        return Ok(());
    };
    let first = below.split('/').next().unwrap_or_default();
    if !crates.contains(first) && !["std", "core", "alloc", "stable"].contains(&first) {
        return Ok(());
    }
    Err(format!(
        "the link `{to}` is hand-written and goes stale; name the API instead, as in [`JoinSet::len`] or \
         [text][tokio::task::JoinSet], and it becomes a link to the version in Cargo.lock"
    ))
}

/// A link or image on a page.
struct Link {
    line: usize,
    /// `None` if `[text][reference]` has no definition, or a footnote only one of its two ends.
    to: Option<String>,
}

fn links(page: &str) -> Vec<Link> {
    let lines = Lines::of(page);
    // The name of an API gets its definition when the page is expanded; `[x]` alone is text.
    let apis: BTreeSet<String> = api::named(page).into_iter().map(|api| api.label).collect();
    let undefined = references::undefined(page)
        .into_iter()
        .filter(|reference| !reference.is_shortcut && !apis.contains(&reference.label));
    let mut broken: Vec<usize> = undefined.map(|reference| reference.line).collect();
    let mut links = Vec::new();
    let mut add = |at: usize, to: String| {
        let line = lines.at(at);
        links.push(Link { line, to: Some(to) });
    };
    let (mut notes, mut note_references) = (BTreeMap::new(), BTreeMap::new());
    for (event, range) in Parser::new_ext(page, references::OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                add(range.start, dest_url.into_string());
            }
            Event::Start(Tag::HtmlBlock) | Event::InlineHtml(_) => {
                let html = &page[range.clone()];
                for to in in_html(html) {
                    add(range.start + html.find(&to).unwrap_or_default(), to);
                }
            }
            Event::Start(Tag::FootnoteDefinition(label)) => {
                notes.insert(label.into_string(), lines.at(range.start));
            }
            Event::FootnoteReference(label) => {
                note_references.insert(label.into_string(), lines.at(range.start));
            }
            // The parser splits the text of a footnote without a definition.
            Event::Text(text) if text.starts_with('^') && page[..range.start].ends_with('[') => {
                note_references.insert(text[1..].to_owned(), lines.at(range.start));
            }
            _ => {}
        }
    }
    for (one, other) in [(&notes, &note_references), (&note_references, &notes)] {
        let lone = one.iter().filter(|(label, _)| !other.contains_key(*label));
        broken.extend(lone.map(|(_, line)| line));
    }
    links.extend(broken.into_iter().map(|line| Link { line, to: None }));
    links.sort_by_key(|link| link.line);
    links
}

/// The addresses in the attributes of a piece of HTML.
fn in_html(html: &str) -> Vec<String> {
    static ANY: LazyLock<Selector> = LazyLock::new(|| selector("*"));
    let fragment = Html::parse_fragment(html);
    let attributes = fragment.select(&ANY).flat_map(|element| {
        let names = ["href", "src", "poster", "data"];
        names.map(|name| element.value().attr(name).map(str::to_owned))
    });
    attributes.flatten().collect()
}

fn element_ids(html: &str) -> BTreeSet<String> {
    let with_id = selector("[id]");
    let page = Html::parse_document(html);
    let ids = page.select(&with_id).filter_map(|e| e.value().attr("id"));
    ids.map(str::to_owned).collect()
}

/// The ids of the headings in a document in order, the same that mdBook and GitHub give them.
pub(crate) fn heading_ids(text: &str) -> Vec<String> {
    let mut used = HashSet::new();
    let mut ids = Vec::new();
    let mut heading = None;
    // The name of an API is a link without a definition, until the page is expanded.
    let mut link = |_: BrokenLink<'_>| Some((CowStr::from(""), CowStr::from("")));
    let parser = Parser::new_with_broken_link_callback(text, references::OPTIONS, Some(&mut link));
    for event in parser {
        match event {
            Event::Start(Tag::Heading { id, .. }) => heading = Some((id, String::new())),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, title)) = &mut heading {
                    title.push_str(&words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let (id, title) = heading.take().unwrap_or_default();
                let id = id.map_or_else(|| heading_id(&title), CowStr::into_string);
                ids.push(unique(id, &mut used));
            }
            _ => {}
        }
    }
    ids
}

/// The file that a relative path in `from` names, or `None` if it's outside of the site.
fn resolve(from: &Path, path: &str) -> Option<PathBuf> {
    let mut file = from.parent()?.to_owned();
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
    use expect_test::expect;

    #[test]
    fn links_images_references_and_footnotes_are_found_with_their_lines() {
        let page = "[a](b.md)\n\n![c](d.png) and [e][f]\n\n[g], `[h][i]`, [j]\n\n[j]: k.md#l\n\na <a href=\"m.md\">m</a>\n\n\
                    <div>\n<img src=\"n.png\">\n</div>\n\nx[^1] y[^2]\n\n[^1]: a\n\n[^3]: b\n";
        let found: String = links(page)
            .into_iter()
            .map(|link| format!("{} {}\n", link.line, link.to.unwrap_or("broken".into())))
            .collect();
        expect![[r#"
            1 b.md
            3 d.png
            3 broken
            5 k.md#l
            9 m.md
            12 n.png
            15 broken
            19 broken
        "#]]
        .assert_eq(&found);
    }

    #[test]
    fn a_link_leads_to_a_file_and_an_id_there() {
        let ids_of = |file: &Path| match file.to_str()? {
            "tasks/a.html" | "b.html" => Some(Rc::new(BTreeSet::from(["one-two".to_owned()]))),
            "c.svg" => Some(Ids::default()),
            _ => None,
        };
        let found: String = [
            "a.md#one-two",
            "#one-two",
            "../b.md",
            "./a.html",
            "../c.svg",
            "https://x.org/y",
            "mailto:x",
            "b.md",
            "#one-tow",
            "../c.svg#x",
            "../../b.md",
            "/etc/passwd",
            "htps://x.org",
        ]
        .iter()
        .filter_map(|to| check(Path::new("tasks/a.html"), to, ids_of).err())
        .map(|message| message + "\n")
        .collect();
        expect![[r#"
            the link `b.md` leads to tasks/b.html, which does not exist
            the link `#one-tow` leads to a heading that tasks/a.html does not have; did you mean `#one-two`?
            the link `../c.svg#x` leads to a heading that c.svg does not have
            the link `../../b.md` leads out of the book
            the link `/etc/passwd` leads out of the book
            the link `htps://x.org` has an unknown scheme, `htps://`; did you mean `https://`?
        "#]].assert_eq(&found);
    }

    #[test]
    fn the_headings_of_a_document_have_ids() {
        let ids = heading_ids("# Two commands\n\n## `cargo test`, and why\n\n## Two commands\n");
        assert_eq!(
            ids,
            ["two-commands", "cargo-test-and-why", "two-commands-1"]
        );
    }
}
