//! The manifest that a page shows: a part's dependencies as a reader's own Cargo.toml needs them.

use crate::problem::Problem;
use crate::project::Project;
use std::collections::BTreeMap;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// What stands in place of a part's name for all parts together.
pub const ALL: &str = "all";

/// What follows a part's name for its programs that need `--cfg tokio_unstable`: they are a package of their own.
pub const UNSTABLE: &str = "/unstable";

/// The manifest of a part, or of [`ALL`] of them, as a page shows it.
///
/// # Errors
///
/// A manifest cannot be read, or inherits what the workspace does not have.
pub fn shown(project: &Project, part: &str) -> Result<String, Problem> {
    if part == ALL {
        all_dependencies(project)
    } else {
        dependencies(project, part)
    }
}

/// Where what a page shows of a part, or of [`ALL`], stands, relative to the book's root.
pub fn file(part: &str) -> String {
    match part {
        ALL => "listings/*/Cargo.toml".to_owned(),
        part => format!("listings/{part}/Cargo.toml"),
    }
}

/// The `[dependencies]` of a part, comments included, with the versions that the part inherits from
/// the workspace written out.
///
/// # Errors
///
/// A manifest cannot be read, or inherits what the workspace does not have.
pub fn dependencies(project: &Project, part: &str) -> Result<String, Problem> {
    let file = file(part);
    let mut text = String::from("[dependencies]\n");
    for wanted in requirements(project, &file)? {
        text.push_str(&wanted.comment);
        text.push_str(&wanted.line(&file)?);
    }
    Ok(text)
}

/// The `[dependencies]` of all parts together, each with the features that any of them asks for.
///
/// # Errors
///
/// As for one part; or the parts cannot be listed.
pub fn all_dependencies(project: &Project) -> Result<String, Problem> {
    let parts = project
        .parts()
        .map_err(|error| Problem::of("listings", format!("{error:#}")))?;
    let mut together: BTreeMap<String, (String, Requirement)> = BTreeMap::new();
    for part in parts {
        let file = file(&part);
        for wanted in requirements(project, &file)? {
            let merged = match together.remove(&wanted.name) {
                Some((_, before)) => before.together_with(wanted),
                None => wanted,
            };
            together.insert(merged.name.clone(), (file.clone(), merged));
        }
    }
    let mut text = String::from("[dependencies]\n");
    for (file, wanted) in together.values() {
        text.push_str(&wanted.line(file)?);
    }
    Ok(text)
}

/// What a part depends on, with what it inherits from the workspace.
fn requirements(project: &Project, file: &str) -> Result<Vec<Requirement>, Problem> {
    let manifest = parse(project, file)?;
    let workspace = parse(project, "Cargo.toml")?;
    let inherited = |name: &str| workspace.get("workspace")?.get("dependencies")?.get(name);
    let Some(table) = manifest.get("dependencies").and_then(Item::as_table) else {
        return Err(Problem::of(file, "has no [dependencies]"));
    };
    let mut wanted = Vec::new();
    for (name, item) in table.iter() {
        let mut own = Requirement::read(name, item);
        if own.inherited {
            let base = inherited(name).ok_or_else(|| {
                Problem::of(
                    file,
                    format!(
                        "`{name}` is inherited, but [workspace.dependencies] of Cargo.toml does not have it"
                    ),
                )
            })?;
            own = own.on_top_of(Requirement::read(name, base));
        }
        own.comment = comment_above(table, name);
        wanted.push(own);
    }
    Ok(wanted)
}

fn parse(project: &Project, file: &str) -> Result<DocumentMut, Problem> {
    project
        .read(file)?
        .parse()
        .map_err(|error| Problem::of(file, format!("is not a manifest: {error}")))
}

/// The comment lines directly above a dependency. In `name.workspace = true` they belong to the inner key.
fn comment_above(table: &toml_edit::Table, name: &str) -> String {
    let inner = table.get(name).and_then(Item::as_table);
    let inner_key = inner.and_then(|inner| inner.key(inner.iter().next()?.0));
    let keys = [table.key(name), inner_key].into_iter().flatten();
    let decors = keys.flat_map(|key| [key.leaf_decor(), key.dotted_decor()]);
    let above = decors.filter_map(|decor| decor.prefix()?.as_str());
    above
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|line| line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What a dependency asks for.
#[derive(Default)]
struct Requirement {
    name: String,
    /// The comment lines above it.
    comment: String,
    version: Option<String>,
    features: Vec<String>,
    /// Whether the crate's default features are switched off.
    bare: bool,
    inherited: bool,
}

impl Requirement {
    fn read(name: &str, item: &Item) -> Self {
        let name = name.to_owned();
        if let Some(version) = item.as_str() {
            return Self {
                name,
                version: Some(version.to_owned()),
                ..Self::default()
            };
        }
        let Some(table) = item.as_table_like() else {
            return Self {
                name,
                ..Self::default()
            };
        };
        let flag = |key: &str| table.get(key).and_then(Item::as_bool);
        Self {
            name,
            comment: String::new(),
            version: table
                .get("version")
                .and_then(Item::as_str)
                .map(str::to_owned),
            features: words(table, "features"),
            bare: flag("default-features") == Some(false),
            inherited: flag("workspace") == Some(true),
        }
    }

    fn on_top_of(self, base: Self) -> Self {
        let mut features = base.features;
        features.extend(self.features);
        features.sort();
        features.dedup();
        Self {
            version: base.version,
            features,
            bare: base.bare || self.bare,
            inherited: false,
            ..self
        }
    }

    /// What two parts need of one crate.
    fn together_with(self, other: Self) -> Self {
        let mut features = self.features;
        features.extend(other.features);
        features.sort();
        features.dedup();
        Self {
            features,
            bare: self.bare && other.bare,
            ..other
        }
    }

    fn line(&self, file: &str) -> Result<String, Problem> {
        let name = &self.name;
        let version = self
            .version
            .as_deref()
            .ok_or_else(|| Problem::of(file, format!("`{name}` has no version")))?;
        let version = Value::from(version).to_string();
        let version = version.trim();
        if self.features.is_empty() && !self.bare {
            return Ok(format!("{name} = {version}\n"));
        }
        let bare = if self.bare {
            ", default-features = false"
        } else {
            ""
        };
        let features: Vec<_> = self.features.iter().map(|f| format!("\"{f}\"")).collect();
        if features.is_empty() {
            return Ok(format!("{name} = {{ version = {version}{bare} }}\n"));
        }
        Ok(format!(
            "{name} = {{ version = {version}{bare}, features = [\n    {},\n] }}\n",
            features.join(", ")
        ))
    }
}

fn words(table: &dyn TableLike, key: &str) -> Vec<String> {
    let values = table
        .get(key)
        .and_then(Item::as_array)
        .into_iter()
        .flatten();
    values
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scratch::Scratch;

    fn shown(workspace: &str, part: &str) -> Result<String, String> {
        let book = Scratch::sound();
        book.write(
            "Cargo.toml",
            format!("[workspace.dependencies]\n{workspace}"),
        );
        book.write(
            "listings/demo/Cargo.toml",
            format!("[dependencies]\n{part}"),
        );
        let project = Project::open(book.root()).expect("a book");
        dependencies(&project, "demo").map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_manifest_of_all_has_the_features_of_each() {
        let book = Scratch::sound();
        book.write(
            "Cargo.toml",
            "[workspace.dependencies]\ntokio = { version = \"1.54\", default-features = false }\nown = \"2\"\n",
        );
        book.write(
            "listings/demo/Cargo.toml",
            "[dependencies]\ntokio = { workspace = true, features = [\"time\"] }\n",
        );
        book.write(
            "listings/other/Cargo.toml",
            "[dependencies]\n# Own.\nown.workspace = true\ntokio = { workspace = true, features = [\"rt\"] }\n",
        );
        book.write(
            "listings/other/src/bin/other.rs",
            "//! Other.\n\nfn main() {}\n",
        );
        let project = Project::open(book.root()).expect("a book");
        assert_eq!(
            super::shown(&project, ALL).unwrap(),
            "[dependencies]\nown = \"2\"\ntokio = { version = \"1.54\", default-features = false, features = [\n    \
             \"rt\", \"time\",\n] }\n"
        );
    }

    #[test]
    fn inherited_versions_and_features_are_written_out_with_their_comments() {
        let workspace = "tokio = { version = \"1.54\", features = [\"rt\"] }\nfutures = \"0.3\"\nbare = { version = \"1\", default-features = false }\n";
        let part = "# Streams.\nfutures.workspace = true\n# The runtime.\n# Two lines.\ntokio = { workspace = true, features = [\"time\"] }\nown = \"2\"\nbare.workspace = true\n";
        assert_eq!(
            shown(workspace, part).unwrap(),
            "[dependencies]\n# Streams.\nfutures = \"0.3\"\n# The runtime.\n# Two lines.\n\
             tokio = { version = \"1.54\", features = [\n    \"rt\", \"time\",\n] }\nown = \"2\"\n\
             bare = { version = \"1\", default-features = false }\n"
        );
    }

    #[test]
    fn what_the_workspace_does_not_have_is_reported() {
        let error = shown("", "tokio.workspace = true\n").unwrap_err();
        assert!(
            error.starts_with("listings/demo/Cargo.toml: `tokio` is inherited, but"),
            "{error}"
        );
        let error = shown("", "tokio = { path = \"x\" }\n").unwrap_err();
        assert_eq!(error, "listings/demo/Cargo.toml: `tokio` has no version");
    }
}
