//! Puts in a directive's place what it names: a program, its output, a manifest, a version.

use crate::directive::{self, Directive};
use crate::listing::{AnchorError, CLIPPYS, Line, ListingName, Source};
use crate::problem::Problem;
use crate::project::Project;
use crate::since::Since;
use crate::{api, cancel_safety, census, find, lock, manifest, measured, moves, provenance, rows};
use mdbook_markdown::pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};
use std::collections::BTreeSet;

/// The language of the one kind of code block that an author writes by hand: commands, each line behind
/// `$ `. Everything else is drawn from a program that is run.
const BY_HAND: &str = "console";

/// What stands around the expansion of a page.
pub struct Expander<'a> {
    project: &'a Project,
    repository: Option<&'a str>,
}

impl<'a> Expander<'a> {
    /// An expander for the pages of a project; with the address of the repository, the captions of
    /// listings link to it.
    pub fn new(project: &'a Project, repository: Option<&'a str>) -> Self {
        Self {
            project,
            repository: repository.map(|url| url.trim_end_matches('/')),
        }
    }

    /// The page with every directive replaced.
    ///
    /// `file` is the page's path relative to the book's root, for messages.
    ///
    /// # Errors
    ///
    /// Everything that is wrong on the page, in the order of its lines.
    pub fn expand(&self, file: &str, page: &str) -> Result<String, Vec<Problem>> {
        // The line ends of a page that was written on Windows are of no use to anyone behind it.
        let page = page.replace("\r\n", "\n");
        let (directives, malformed) = directive::find(&page);
        let mut problems = hand_written_code(file, &page);
        problems.extend(
            malformed
                .into_iter()
                .map(|m| Problem::at(file, m.line, m.message)),
        );
        let mut expanded = String::new();
        let mut copied = 0;
        for directive in directives {
            expanded.push_str(&page[copied..directive.range.start]);
            copied = directive.range.end;
            match self.replacement(file, &directive) {
                Ok(text) => expanded.push_str(&text),
                Err(problem) => {
                    problems.push(Problem::at(file, directive.line, problem));
                }
            }
        }
        expanded.push_str(&page[copied..]);
        let mut expanded = rows::with_links(&expanded);
        match self.api_links(file, &page) {
            Ok(definitions) => expanded.push_str(&definitions),
            Err(found) => problems.extend(found),
        }
        if problems.is_empty() {
            Ok(expanded)
        } else {
            problems.sort();
            Err(problems)
        }
    }

    /// Definitions for the references to APIs on a page.
    fn api_links(&self, file: &str, page: &str) -> Result<String, Vec<Problem>> {
        let named = api::named(page);
        if named.is_empty() {
            return Ok(String::new());
        }
        let map = api::Map::read(self.project).map_err(|problem| vec![problem])?;
        let mut definitions = BTreeSet::new();
        let mut problems = Vec::new();
        for api in named {
            match map.url(self.project, &api.name) {
                Ok(url) => {
                    definitions.insert(format!("[{}]: <{url}>\n", api.label));
                }
                Err(message) => problems.push(Problem::at(file, api.line, message)),
            }
        }
        if problems.is_empty() {
            let lines: String = definitions.into_iter().collect();
            Ok(format!("\n\n{lines}"))
        } else {
            Err(problems)
        }
    }

    fn replacement(&self, file: &str, directive: &Directive) -> Result<String, String> {
        let argument = directive.argument.as_str();
        let is_block = !matches!(directive.name.as_str(), "version" | "since" | "count");
        let Some((_, form)) = directive::KNOWN
            .iter()
            .find(|(name, _)| *name == directive.name)
        else {
            return Err(unknown(&directive.name));
        };
        if argument.is_empty() {
            return Err(format!(
                "`{{{{#{}}}}}` does not say of what; write {form}",
                directive.name
            ));
        }
        if is_block && !directive.alone {
            return Err(format!(
                "`{{{{#{}}}}}` must stand alone on its line, from the first column on, \
                 outside of lists, quotes and tables",
                directive.name
            ));
        }
        match directive.name.as_str() {
            "listing" => self.listing(argument),
            "output" => self.output(argument),
            "compile_fail" => self.compile_fail(argument),
            "unstable" => self.unstable(argument),
            "timeline" => moves::figure(self.project, file, argument),
            "index" => find::index(self.project, file, argument),
            "manifest" => self.manifest(argument),
            "measured" => measured::figure(self.project, argument),
            "count" => census::count(self.project, argument)
                .map(|number| number.to_string())
                .map_err(|problem| problem.message),
            "since" => Since::parse(argument)?
                .link(self.project)
                .map_err(|problem| problem.to_string()),
            "cancel_safety" => cancel_safety::table(self.project, argument, self.repository),
            "versions" => provenance::versions(self.project).map_err(|problem| problem.to_string()),
            _ => lock::version(self.project, argument).map_err(|problem| problem.to_string()),
        }
    }

    fn listing(&self, argument: &str) -> Result<String, String> {
        let (name, anchor) = split_anchor(argument)?;
        let file = name.source();
        let text = self.program(&name, &file)?;
        let run = run_command(&name);
        let (caption, code) = self.code(&file, &text, anchor)?;
        let wrong = if caption.starts_with(WRONG) {
            " wrong"
        } else {
            ""
        };
        Ok(format!(
            "<figure class=\"listing{wrong}\" id=\"{id}\" data-listing=\"{name}\">\n{figcaption}\n\n{block}\n</figure>\n",
            id = figure_id(&name, anchor),
            figcaption = self.figcaption(
                &figure_id(&name, anchor),
                &caption,
                &file,
                &run,
                tools(&code)
            ),
            block = fenced("rust", &code),
        ))
    }

    /// A program that needs `--cfg tokio_unstable`.
    fn unstable(&self, argument: &str) -> Result<String, String> {
        let (name, anchor) = split_anchor(argument)?;
        let file = name.unstable();
        if !self.project.has(&file) {
            let known = self.project.unstable_programs().unwrap_or_default();
            return Err(missing(&name, &file, &known, "write it there"));
        }
        let text = self
            .project
            .read(&file)
            .map_err(|problem| problem.to_string())?;
        let (caption, code) = self.code(&file, &text, anchor)?;
        let wrong = if caption.starts_with(WRONG) {
            " wrong"
        } else {
            ""
        };
        let id = figure_id(&name, anchor);
        let run = unstable_command(&name);
        Ok(format!(
            "<figure class=\"listing{wrong}\" id=\"{id}\" data-unstable=\"{name}\">\n{figcaption}\n\n{block}\n</figure>\n",
            figcaption = self.figcaption(&id, &caption, &file, &run, tools(&code)),
            block = fenced("rust", &code),
        ))
    }

    /// What such a program printed.
    fn unstable_output(&self, name: &ListingName) -> Result<String, String> {
        let file = name.unstable_output();
        if !self.project.has(&file) {
            return Err(format!(
                "{file} is missing, so there is no output to show; `cargo book bless {name}` runs the program and writes it"
            ));
        }
        let text = self
            .project
            .read(&file)
            .map_err(|problem| problem.to_string())?;
        Ok(output_figure(name, &unstable_command(name), "", &text))
    }

    fn output(&self, argument: &str) -> Result<String, String> {
        let name = ListingName::parse(argument)?;
        if self.project.has(&name.unstable()) {
            return self.unstable_output(&name);
        }
        self.program(&name, &name.source())?;
        let file = name.output();
        let committed = self
            .project
            .has(&file)
            .then(|| self.project.read(&file))
            .transpose();
        let committed = committed.map_err(|problem| problem.to_string())?;
        let fresh = self.project.fresh_output(&name);
        let bless = format!("cargo book bless {name}");
        let note = match (&committed, fresh) {
            (Some(old), Some(new)) if old != new => format!(
                "\n<p class=\"unblessed\">This is what it printed just now; <code>{file}</code> says \
                 otherwise. <code>{bless}</code> accepts the new output.</p>\n"
            ),
            (None, Some(_)) => format!(
                "\n<p class=\"unblessed\">This is what it printed just now; <code>{bless}</code> \
                 writes it to <code>{file}</code>.</p>\n"
            ),
            _ => String::new(),
        };
        let text = fresh.map(str::to_owned).or(committed).ok_or_else(|| {
            format!("{file} is missing, so there is no output to show; `{bless}` runs the listing and writes it")
        })?;
        if text.trim().is_empty() {
            return Err(format!(
                "{file} is empty; let the listing print what it shows, then `{bless}`"
            ));
        }
        Ok(output_figure(&name, &run_command(&name), &note, &text))
    }

    fn compile_fail(&self, argument: &str) -> Result<String, String> {
        let (name, anchor) = split_anchor(argument)?;
        let file = name.compile_fail();
        if !self.project.has(&file) {
            let known = self.project.compile_fail_programs().unwrap_or_default();
            return Err(missing(&name, &file, &known, "write it there"));
        }
        let text = self
            .project
            .read(&file)
            .map_err(|problem| problem.to_string())?;
        let (caption, code) = self.code(&file, &text, anchor)?;
        let (refused, says) = match text.contains(CLIPPYS) {
            true => ("compiles, and Clippy refuses it", "What Clippy says:"),
            false => ("does not compile", "What the compiler says:"),
        };
        let stderr = name.stderr();
        if !self.project.has(&stderr) {
            return Err(format!(
                "{stderr} is missing, so there is no message to show; `cargo book bless {name}` compiles the program and writes it"
            ));
        }
        let message = self
            .project
            .read(&stderr)
            .map_err(|problem| problem.to_string())?;
        Ok(format!(
            "<figure class=\"listing compile-fail\" id=\"{id}\" data-compile-fail=\"{name}\">\n{figcaption}\n\n{block}\n\
             <p class=\"says\">{says}</p>\n\n{message}\n</figure>\n",
            id = figure_id(&name, anchor),
            figcaption = self.figcaption(
                &figure_id(&name, anchor),
                &caption,
                &file,
                refused,
                tools(&code)
            ),
            block = fenced("rust,compile_fail", &code),
            message = fenced("text", &message),
        ))
    }

    fn manifest(&self, part: &str) -> Result<String, String> {
        let parts = self.project.parts().unwrap_or_default();
        let is_unstable = part
            .strip_suffix(manifest::UNSTABLE)
            .is_some_and(|_| self.project.has(&manifest::file(part)));
        if part != manifest::ALL && !is_unstable && !parts.iter().any(|known| known == part) {
            return Err(format!(
                "there is no part `{part}` under listings/; there are: {}, and `{}` for the manifest of all",
                parts.join(", "),
                manifest::ALL
            ));
        }
        let text = manifest::shown(self.project, part).map_err(|problem| problem.to_string())?;
        let file = manifest::file(part);
        let id = format!("manifest-{}", part.replace('/', "-"));
        Ok(format!(
            "<figure class=\"manifest\" id=\"{id}\" data-manifest=\"{part}\">\n{}\n\n{}\n</figure>\n",
            self.figcaption(
                &id,
                "What to put into your <code>Cargo.toml</code>.",
                &file,
                "",
                TOOLS
            ),
            fenced("toml", &text),
        ))
    }

    /// The text of a listing that is expected to exist.
    fn program(&self, name: &ListingName, file: &str) -> Result<String, String> {
        if !self.project.has(file) {
            let known = self.project.listings().unwrap_or_default();
            let make = format!("`cargo book new {name}` makes one");
            return Err(missing(name, file, &known, &make));
        }
        self.project
            .read(file)
            .map_err(|problem| problem.to_string())
    }

    /// Caption (as HTML) and code (with mdBook's marks for hidden lines) of a program.
    fn code(
        &self,
        file: &str,
        text: &str,
        anchor: Option<&str>,
    ) -> Result<(String, String), String> {
        let place = |error: AnchorError| match error.line {
            Some(line) => format!("{file}:{line}: {}", error.message),
            None => format!("{file}: {}", error.message),
        };
        let source = Source::parse(text).map_err(place)?;
        let caption = source.caption().ok_or_else(|| {
            format!(
                "{file}:1: the listing has no caption; begin it with one line `//! What it shows.`"
            )
        })?;
        let lines = source.cut(anchor).map_err(place)?;
        Ok((inline_code(caption), with_hidden_lines(&lines)))
    }

    /// A caption, which is a link to its own figure, with the file (linked where the repository's address is known), a last word, and what there
    /// is to press.
    fn figcaption(&self, id: &str, caption: &str, file: &str, last: &str, tools: &str) -> String {
        let path = match self.repository {
            // Several files have no address.
            Some(url) if !file.contains('*') => format!(
                "<a href=\"{}/blob/HEAD/{file}\"><code>{file}</code></a>",
                escape(url)
            ),
            _ => format!("<code>{file}</code>"),
        };
        let caption = with_verdict(caption);
        format!(
            "<figcaption><a class=\"caption\" href=\"#{id}\">{caption}</a> \
             <span class=\"where\">{path} {last}</span>{tools}</figcaption>"
        )
    }
}

/// A listing's caption as HTML.
pub(crate) fn caption(caption: &str) -> String {
    with_verdict(&inline_code(caption))
}

fn with_verdict(caption: &str) -> String {
    match caption.strip_prefix(WRONG) {
        Some(rest) => format!("<strong class=\"verdict\">{WRONG}</strong>{rest}"),
        None => caption.to_owned(),
    }
}

/// Where theme/site.js puts its buttons.
const TOOLS: &str = "<span class=\"tools\"></span>";

/// The same, with the choice to see the hidden lines, where code has any. It needs no script.
fn tools(code: &str) -> &'static str {
    if code.lines().any(|line| line.starts_with("# ")) {
        "<span class=\"tools\"><label><input type=\"checkbox\" class=\"whole\"> Show all</label></span>"
    } else {
        TOOLS
    }
}

/// How the caption of a listing begins that shows what not to do.
pub const WRONG: &str = "Wrong:";

pub(crate) fn split_anchor(argument: &str) -> Result<(ListingName, Option<&str>), String> {
    let (name, anchor) = match argument.split_once(':') {
        Some((name, anchor)) => (name, Some(anchor)),
        None => (argument, None),
    };
    if anchor == Some("") {
        return Err(format!(
            "`{argument}` ends in a colon without an anchor behind it"
        ));
    }
    Ok((ListingName::parse(name)?, anchor))
}

fn run_command(name: &ListingName) -> String {
    format!(
        "<code class=\"command\">cargo run --bin {}</code>",
        name.name
    )
}

/// `cargo unstable` is an alias in .cargo/config.toml.
fn unstable_command(name: &ListingName) -> String {
    format!(
        "<code class=\"command\">cargo unstable {}</code>",
        name.name
    )
}

fn output_figure(name: &ListingName, run: &str, note: &str, text: &str) -> String {
    format!(
        "<figure class=\"output\" id=\"output-{bin}\">\n<figcaption><span>Output</span> \
         <span class=\"where\">{run}</span></figcaption>\n{note}\n{block}\n</figure>\n",
        bin = name.name,
        block = fenced("text", text),
    )
}

pub(crate) fn figure_id(name: &ListingName, anchor: Option<&str>) -> String {
    match anchor {
        Some(anchor) => format!("{}.{anchor}", name.name),
        None => name.name.clone(),
    }
}

fn unknown(name: &str) -> String {
    let forms: Vec<_> = directive::KNOWN.iter().map(|(_, form)| *form).collect();
    let names = directive::KNOWN.iter().map(|(name, _)| *name);
    let hint = match (name, nearest(name, names)) {
        ("include" | "rustdoc_include" | "playground", _) => {
            "; code comes onto a page with {{#listing part/name}}".to_owned()
        }
        (_, Some(near)) => format!("; did you mean `{near}`?"),
        _ => format!("; there are {}", forms.join(", ")),
    };
    format!("`{{{{#{name}}}}}` is not a directive{hint}")
}

fn missing(name: &ListingName, file: &str, known: &[ListingName], make: &str) -> String {
    let known: Vec<String> = known.iter().map(ListingName::to_string).collect();
    let hint = match nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => make.to_owned(),
    };
    format!("there is no listing `{name}` ({file}); {hint}")
}

/// The word that is most like the given one, if any is alike.
pub(crate) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// mdBook hides a line that starts with `# `, and shows one that starts with `##` without its first
/// `#`; see `hide_lines.rs` in mdbook-html.
fn with_hidden_lines(lines: &[Line<'_>]) -> String {
    let mut code = String::new();
    for line in lines {
        if line.shown {
            let indented = line.text.trim_start();
            let is_mark = indented
                .strip_prefix('#')
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', ' ']));
            if is_mark {
                let spaces = &line.text[..line.text.len() - indented.len()];
                code.push_str(spaces);
                code.push('#');
                code.push_str(indented);
            } else {
                code.push_str(line.text);
            }
        } else {
            code.push_str("# ");
            code.push_str(line.text);
        }
        code.push('\n');
    }
    code
}

/// A code block whose fence is longer than any run of backticks inside.
fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A caption as HTML: escaped, with `code` between backticks.
pub(crate) fn inline_code(text: &str) -> String {
    let parts: Vec<_> = text.split('`').map(escape).collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let pieces = parts.iter().enumerate();
    pieces
        .map(|(i, part)| {
            if i % 2 == 1 {
                format!("<code>{part}</code>")
            } else {
                part.clone()
            }
        })
        .collect()
}

/// Code blocks on a page that no program stands behind.
pub fn hand_written_code(file: &str, page: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut commands = false;
    for (event, range) in new_cmark_parser(page, &MarkdownOptions::default()).into_offset_iter() {
        let line = 1 + page[..range.start].matches('\n').count();
        let kind = match event {
            Event::Start(Tag::CodeBlock(kind)) => kind,
            Event::Text(text) if commands => {
                let others = text.lines().enumerate();
                let others = others.filter(|(_, line)| !line.starts_with("$ ") && !line.is_empty());
                problems.extend(others.map(|(below, other)| {
                    let message = format!(
                        "`{}` is no command, which would begin with `$ `; what a command prints comes onto a page \
                         with {{{{#output part/name}}}}",
                        other.trim()
                    );
                    Problem::at(file, line + below, message)
                }));
                continue;
            }
            Event::End(TagEnd::CodeBlock) => {
                commands = false;
                continue;
            }
            _ => continue,
        };
        let message = match kind {
            CodeBlockKind::Indented => format!(
                "indented code is not checked by anything; commands go into a fence with `{BY_HAND}`, a program \
                 into a listing"
            ),
            CodeBlockKind::Fenced(info) => {
                let language = info.split([',', ' ', '\t']).next().unwrap_or_default();
                if *info == *BY_HAND {
                    commands = true;
                    continue;
                } else if language.to_ascii_lowercase().starts_with("rs")
                    || info.to_ascii_lowercase().contains("rust")
                {
                    "Rust code written by hand is not compiled; make it a listing: `cargo book new part/name` \
                     writes the file and prints the lines to paste here"
                        .to_owned()
                } else {
                    format!(
                        "a code block written by hand holds commands, as `{BY_HAND}`; this one is `{info}`, and \
                         nothing checks it. A program and what it prints come from a listing: `cargo book new part/name`"
                    )
                }
            }
        };
        problems.push(Problem::at(file, line, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_line_that_mdbook_would_hide_is_escaped() {
        let line = |text, shown| Line { text, shown };
        let lines = [
            line("use x;", false),
            line("", false),
            line("# a", true),
            line("  ## b", true),
            line("#", true),
            line("#[test]", true),
        ];
        assert_eq!(
            with_hidden_lines(&lines),
            "# use x;\n# \n## a\n  ### b\n##\n#[test]\n"
        );
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("text", "a ``` b"), "````text\na ``` b\n````\n");
    }

    #[test]
    fn captions_are_escaped() {
        assert_eq!(
            inline_code("Send `Vec<T>` & go"),
            "Send <code>Vec&lt;T&gt;</code> &amp; go"
        );
        assert_eq!(inline_code("one ` only <b>"), "one ` only &lt;b&gt;");
    }

    #[test]
    fn code_written_by_hand_is_refused_with_its_line() {
        let lines = |page: &str| {
            hand_written_code("p.md", page)
                .iter()
                .map(|p| p.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines("a\n\n```rust\nfn main() {}\n```\n"), [Some(3)]);
        for fence in [
            "rs",
            "rust,ignore",
            "Rust",
            "ignore,rust",
            "",
            "rust no_run",
            "text,rust",
            "text",
            "markdown",
            "console,rust",
            "Console",
            "toml",
            "c",
        ] {
            assert_eq!(
                lines(&format!("```{fence}\nx\n```\n")),
                [Some(1)],
                "{fence}"
            );
        }
        assert_eq!(lines("> ```rust\n> x\n> ```\n"), [Some(1)]);
        assert_eq!(lines("- a\n\n  ~~~rust\n  x\n  ~~~\n"), [Some(3)]);
        assert_eq!(lines("a\n\n    let x = 1;\n"), [Some(3)]);
        assert!(lines("```console\n$ cargo test\n\n$ cargo run\n```\n").is_empty());
        assert_eq!(lines("a\n\n```console\n$ cargo test\nok\n```\n"), [Some(5)]);
    }
}
