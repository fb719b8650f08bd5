//! The figures of programs and of what they print.

use crate::caption::{TOOLS, caption, figcaption};
use model::hazards;
use model::hidden::with_hidden_lines;
use model::html::fenced;
use model::output;
use model::program::{ProgramKind, ProgramRef};
use model::source::{AnchorError, CLIPPYS, MANIFEST, Source};
use model::{Problem, ProgramId, Project, suggest};

/// A program of more bytes is whole only where a page shows it first: what is repeated after more than 32 kB of HTML isn't
/// compressed away.
const REPEATED: usize = 16_000;

/// A program of more bytes is never whole on a page, which would be too heavy.
const WHOLE: usize = 40_000;

/// Draws programs and their output.
pub struct ProgramFigures<'a> {
    project: &'a Project,
    repository: Option<&'a str>,
}

impl<'a> ProgramFigures<'a> {
    /// With the address of the repository, captions link to it.
    pub fn new(project: &'a Project, repository: Option<&'a str>) -> Self {
        Self {
            project,
            repository,
        }
    }

    /// A program, or what one of its anchors holds, with everything else of the program hidden; of a long program, only what
    /// is shown. If it must not compile, the compiler's message follows. Where the page shows the program first, a line says
    /// which hazards it was tested against.
    pub fn program(
        &self,
        kind: ProgramKind,
        shown: &ProgramRef,
        is_first: bool,
    ) -> Result<String, String> {
        let name = &shown.id;
        let (file, text) = self.text(kind, name)?;
        let place = |error: AnchorError| match error.line {
            Some(line) => format!("{file}:{line}: {}", error.message),
            None => format!("{file}: {}", error.message),
        };
        let source = Source::parse(&text).map_err(place)?;
        let heading = source.caption().ok_or_else(|| {
            format!(
                "{file}:1: the listing has no caption; begin it with one line `//! What it shows.`"
            )
        })?;
        let mut lines = source.cut(shown.anchor.as_deref()).map_err(place)?;
        // The reason why it doesn't compile.
        for line in &mut lines {
            line.shown |= line.text.starts_with(MANIFEST);
        }
        let length: usize = lines.iter().map(|line| line.text.len()).sum();
        let is_excerpt = length > WHOLE || (length > REPEATED && !is_first);
        if is_excerpt {
            lines.retain(|line| line.shown);
        }
        let excerpt = if is_excerpt { " data-excerpt" } else { "" };
        let code = with_hidden_lines(&lines);
        let wrong = if source.is_mistake() { " wrong" } else { "" };
        let tested = match hazards::tested(&text) {
            Some(line) if is_first && !source.is_mistake() => {
                format!("<p class=\"tested\">{line}</p>\n")
            }
            _ => String::new(),
        };
        let (class, data, last, language, message) = match kind {
            ProgramKind::Listing => (wrong, "listing", run_command(name), "rust", tested),
            ProgramKind::Unstable => {
                let command = unstable_command(name);
                (wrong, "unstable", command, "rust", String::new())
            }
            ProgramKind::CompileFail => {
                let (refused, message) = self.refusal(name, &text)?;
                let language = "rust,compile_fail";
                (" compile-fail", "compile-fail", refused, language, message)
            }
        };
        let id = shown.figure_id();
        Ok(format!(
            "<figure class=\"listing{class}\" id=\"{id}\" data-{data}=\"{name}\"{excerpt}>\n{figcaption}\n\n{block}\n{message}</figure>\n",
            figcaption = figcaption(
                &id,
                &caption(&heading),
                (&file, self.repository),
                &last,
                tools(&code)
            ),
            block = fenced(language, &code),
        ))
    }

    /// What refuses a program, and its message as a block.
    fn refusal(&self, name: &ProgramId, text: &str) -> Result<(String, String), String> {
        let (refused, says) = match text.contains(CLIPPYS) {
            true => ("compiles, but Clippy rejects it", "What Clippy says:"),
            false => ("does not compile", "What the compiler says:"),
        };
        let stderr = name.stderr();
        if !self.project.has(&stderr) {
            return Err(format!(
                "{stderr} is missing, so there is no message to show; `cargo book bless {name}` compiles the program and writes it"
            ));
        }
        let message = self.read(&stderr)?;
        let block = fenced("text", &message);
        Ok((
            refused.to_owned(),
            format!("<p class=\"says\">{says}</p>\n\n{block}\n"),
        ))
    }

    /// What a listing prints; of a run just now, if there was one.
    pub fn output(&self, name: &ProgramId) -> Result<String, String> {
        let unstable = self.project.has(&name.unstable());
        let bless = format!("cargo book bless {name}");
        let (file, run, fresh) = if unstable {
            (name.unstable_output(), unstable_command(name), None)
        } else {
            self.text(ProgramKind::Listing, name)?;
            let fresh = self.project.fresh_output(name);
            (name.output(), run_command(name), fresh)
        };
        let committed = self.project.has(&file).then(|| self.read(&file));
        let committed = committed.transpose()?;
        let note = match (&committed, fresh) {
            (Some(old), Some(new)) if old != new => format!(
                "\n<p class=\"unblessed\">This is the output of the latest run, and it differs from <code>{file}</code>. \
                 <code>{bless}</code> accepts the new output.</p>\n"
            ),
            (None, Some(_)) => format!(
                "\n<p class=\"unblessed\">This is the output of the latest run. <code>{bless}</code> \
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
        Ok(format!(
            "<figure class=\"output\" id=\"output-{bin}\">\n<figcaption><span>Output</span> \
             <span class=\"where\">{run}</span></figcaption>\n{note}\n{block}\n</figure>\n",
            bin = name.name,
            block = self.outputs(name, &text)?,
        ))
    }

    /// The blocks of an output: of one, or of one for each database.
    fn outputs(&self, name: &ProgramId, text: &str) -> Result<String, String> {
        let outputs = output::shown(self.project, name).map_err(|problem| problem.to_string())?;
        if outputs.iter().all(|output| output.database.is_none()) {
            return Ok(fenced("text", text));
        }
        let mut blocks = String::new();
        for output in &outputs {
            let database = output.database.unwrap_or_default();
            let text = match output.file == name.output() {
                true => text.to_owned(),
                false => self.read(&output.file)?,
            };
            let block = fenced("text", &text);
            blocks.push_str(&format!(
                "<div>\n<p class=\"says\">On {database}:</p>\n\n{block}\n</div>\n"
            ));
        }
        Ok(format!("<div class=\"databases\">\n{blocks}</div>"))
    }

    /// The file and text of a program that is expected to exist.
    fn text(&self, kind: ProgramKind, name: &ProgramId) -> Result<(String, String), String> {
        let file = name.file(kind);
        if self.project.has(&file) {
            let text = self.read(&file)?;
            return Ok((file, text));
        }
        let known = self.project.programs(kind).unwrap_or_default();
        let known: Vec<String> = known.iter().map(ProgramId::to_string).collect();
        let near = suggest::nearest(&name.to_string(), known.iter().map(String::as_str));
        let hint = match (near, kind) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, ProgramKind::Listing) => format!("`cargo book new {name}` makes one"),
            (None, _) => "write it there".to_owned(),
        };
        Err(format!("there is no listing `{name}` ({file}); {hint}"))
    }

    fn read(&self, file: &str) -> Result<String, String> {
        let text = self.project.read(file);
        text.map_err(|problem: Problem| problem.to_string())
    }
}

/// The place for buttons, with the choice to see the hidden lines if code has any. It needs no script.
fn tools(code: &str) -> &'static str {
    if code.lines().any(|line| line.starts_with("# ")) {
        "<span class=\"tools\"><label><input type=\"checkbox\" class=\"whole\"> Show all</label></span>"
    } else {
        TOOLS
    }
}

fn run_command(name: &ProgramId) -> String {
    format!(
        "<code class=\"command\">cargo run --bin {}</code>",
        name.name
    )
}

/// `cargo unstable` is an alias in .cargo/config.toml.
fn unstable_command(name: &ProgramId) -> String {
    format!(
        "<code class=\"command\">cargo unstable {}</code>",
        name.name
    )
}
