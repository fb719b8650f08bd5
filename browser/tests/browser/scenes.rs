//! Scenes from data files: what a reader does on a page, and what must then be there.
//!
//! A case of such a file is a scene. Its first section, `page`, has the page and the view; the others are its steps, in
//! order. The sections of the case `names` are pieces of JavaScript, by the names that the steps use.

use crate::shared::{ROOT, site, visit};
use anyhow::{Context, Result, bail, ensure};
use browser::{View, Visit};
use fantoccini::key::Key;
use model::source::Source;
use scratch::{Case, cases, missing_line};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The listing whose program is `PROGRAM` in the scenes.
const LISTING: &str = "listings/tasks/src/bin/join_set.rs";

/// The scenes of a file, and the names that they use.
pub struct Scenes {
    names: Vec<(String, String)>,
    scenes: Vec<Case>,
}

impl Scenes {
    pub fn parse(text: &str) -> Self {
        let (names, scenes): (Vec<_>, Vec<_>) =
            cases(text).into_iter().partition(|it| it.name == "names");
        let names = names.iter().flat_map(Case::sections);
        Self {
            names: names
                .map(|(name, script)| (name.to_owned(), script.trim_end().to_owned()))
                .collect(),
            scenes,
        }
    }

    /// Plays every scene on its page, in its view.
    pub fn play_all(&self) -> Result<()> {
        for scene in &self.scenes {
            let (page, view) = scene
                .get("page")
                .trim_end()
                .split_once(' ')
                .context("a view")?;
            let views = match view {
                "desktop" => &[View::DESKTOP][..],
                "phone" => &[View::PHONE],
                _ => &View::ALL,
            };
            for view in views {
                visit(page, *view, async |visit| {
                    self.play(visit, &scene.name).await
                })
                .with_context(|| format!("({view})"))?;
            }
        }
        Ok(())
    }

    /// Plays a scene on the page that is open.
    pub async fn play(&self, visit: &Visit<'_>, scene: &str) -> Result<()> {
        let scene = self.scenes.iter().find(|it| it.name == scene);
        let scene = scene.context("there is no such scene")?;
        for (step, text) in scene.sections().skip(1) {
            let [act_on, with] = [step, text.trim_end()].map(|it| self.with_names(it));
            let acted = act(visit, &act_on, &with).await;
            acted.with_context(|| format!("{}: {step}", scene.name))?;
        }
        Ok(())
    }

    fn with_names(&self, text: &str) -> String {
        let names = self.names.iter().rev();
        names.fold(text.to_owned(), |text, (name, script)| {
            text.replace(name, script)
        })
    }
}

async fn act(visit: &Visit<'_>, step: &str, text: &str) -> Result<()> {
    match step.split_once(' ').unwrap_or((step, "")) {
        ("click", css) => visit.click(css).await,
        ("press", css) => visit.press(css, &keys(text)).await,
        ("point", place) => point_at(visit, place).await,
        ("run", _) => visit
            .ask::<Value>(&format!("({text}, true)"))
            .await
            .map(drop),
        ("wait", _) => wait(visit, text).await,
        // Every line of the text, in order; without a text, nothing.
        ("shows", script) => {
            let shown = value(visit, script).await?;
            let is_shown = match text {
                "" => shown.is_empty(),
                lines => missing_line(&shown, lines).is_none(),
            };
            ensure!(is_shown, "`{text}` should be there, and there is `{shown}`");
            Ok(())
        }
        ("equals", script) => {
            let expected = text.replace("PROGRAM", program()?.trim_end());
            let found = value(visit, script).await?;
            ensure!(
                found.trim_end() == expected,
                "it should be {expected}, and is {found}"
            );
            Ok(())
        }
        // An address on the same server, or a file of the site.
        ("open", "") => {
            let address: String = visit
                .ask(&format!("new URL('{text}', location.href).href"))
                .await?;
            visit.open(&address).await
        }
        ("open", _) => {
            let file = site()?.1.site.join(text);
            visit.open(&format!("file://{}", file.display())).await
        }
        ("violations", _) => {
            let found = visit.violations().await?;
            let is_as_expected = match text {
                "" => found.is_empty(),
                rule => found.iter().any(|it| it.contains(rule)),
            };
            ensure!(is_as_expected, "{found:#?}");
            Ok(())
        }
        ("quiet", _) => {
            let errors = visit.console_errors().await?;
            ensure!(errors.is_empty(), "console errors: {errors:#?}");
            Ok(())
        }
        ("clipboard", _) => visit.grant_clipboard().await,
        ("scripts", on) => visit.run_scripts(on == "on").await,
        _ => bail!("there is no such step"),
    }
}

/// Waits until an expression is true, also on a page that is opened meanwhile.
async fn wait(visit: &Visit<'_>, condition: &str) -> Result<()> {
    let condition = format!("Boolean({condition})");
    for _ in 0..400 {
        // An error, too, while another page is being opened.
        if visit.ask(&condition).await.unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let address: String = visit.ask("location.href").await?;
    bail!("it isn't so at {address}: {condition}")
}

/// The value of an expression as text.
async fn value(visit: &Visit<'_>, script: &str) -> Result<String> {
    Ok(match visit.ask(script).await? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// The text with the keys of WebDriver in the place of their names: `<Down>`.
pub fn keys(text: &str) -> String {
    let keys = [
        ("<Control>", Key::Control),
        ("<Down>", Key::Down),
        ("<End>", Key::End),
        ("<Enter>", Key::Enter),
        ("<Escape>", Key::Escape),
        ("<Home>", Key::Home),
        ("<Release>", Key::Null),
        ("<Right>", Key::Right),
        ("<Up>", Key::Up),
    ];
    keys.into_iter().fold(text.to_owned(), |text, (name, key)| {
        text.replace(name, &char::from(key).to_string())
    })
}

fn program() -> Result<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(LISTING))?;
    let source = Source::parse(&text).map_err(|error| anyhow::anyhow!(error.message))?;
    Ok(source.program_without_tests())
}

/// Moves the mouse to a point of the picture, a part of its width and a lane; or to the highlighted line.
async fn point_at(visit: &Visit<'_>, place: &str) -> Result<()> {
    let script = match place.split_once(' ') {
        Some((right, lane)) => format!(
            "(() => {{ const svg = document.querySelector('svg.course');
            svg.scrollIntoView({{ block: 'center' }});
            const box = svg.getBoundingClientRect();
            return [box.left + box.width * {right}, box.top + svg.dataset.lane * ({lane} + 0.7)]; }})()"
        ),
        None => "(() => { const box = document.querySelector('.line-here').getBoundingClientRect();
            return [box.left + 120, box.top + box.height / 2]; })()"
            .to_owned(),
    };
    let (x, y): (f64, f64) = visit.ask(&script).await?;
    visit.point(x, y).await
}
