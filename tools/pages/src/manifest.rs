//! The manifest that a page shows: a part's dependencies as a reader's own Cargo.toml needs them.

use crate::problem::Problem;
use crate::project::Project;
use toml_edit::{DocumentMut, Item, TableLike, Value};

/// The `[dependencies]` of a part, comments included, with the versions that the part inherits from
/// the workspace written out.
///
/// # Errors
///
/// A manifest cannot be read, or inherits what the workspace does not have.
pub fn dependencies(project: &Project, part: &str) -> Result<String, Problem> {
    let file = format!("listings/{part}/Cargo.toml");
    let manifest = parse(project, &file)?;
    let workspace = parse(project, "Cargo.toml")?;
    let inherited = |name: &str| workspace.get("workspace")?.get("dependencies")?.get(name);
    let Some(table) = manifest.get("dependencies").and_then(Item::as_table) else {
        return Err(Problem::of(file, "has no [dependencies]"));
    };

    let mut text = String::from("[dependencies]\n");
    for (name, item) in table.iter() {
        let missing = || {
            Problem::of(
                &file,
                format!(
                    "`{name}` is inherited, but [workspace.dependencies] of Cargo.toml does not have it"
                ),
            )
        };
        let own = Requirement::read(item);
        let wanted = if own.inherited {
            let base = Requirement::read(inherited(name).ok_or_else(missing)?);
            own.on_top_of(base)
        } else {
            own
        };
        let comment = comment_above(table, name);
        text.push_str(&comment);
        text.push_str(
            &wanted
                .line(name)
                .ok_or_else(|| Problem::of(&file, format!("`{name}` has no version")))?,
        );
    }
    Ok(text)
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
    version: Option<String>,
    features: Vec<String>,
    /// Whether the crate's default features are switched off.
    bare: bool,
    inherited: bool,
}

impl Requirement {
    fn read(item: &Item) -> Self {
        if let Some(version) = item.as_str() {
            return Self {
                version: Some(version.to_owned()),
                ..Self::default()
            };
        }
        let Some(table) = item.as_table_like() else {
            return Self::default();
        };
        let flag = |key: &str| table.get(key).and_then(Item::as_bool);
        Self {
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
        }
    }

    fn line(&self, name: &str) -> Option<String> {
        let version = Value::from(self.version.as_deref()?).to_string();
        let version = version.trim();
        if self.features.is_empty() && !self.bare {
            return Some(format!("{name} = {version}\n"));
        }
        let bare = if self.bare {
            ", default-features = false"
        } else {
            ""
        };
        let features: Vec<_> = self.features.iter().map(|f| format!("\"{f}\"")).collect();
        if features.is_empty() {
            return Some(format!("{name} = {{ version = {version}{bare} }}\n"));
        }
        Some(format!(
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
    fn what_the_workspace_does_not_have_is_told() {
        let error = shown("", "tokio.workspace = true\n").unwrap_err();
        assert!(
            error.starts_with("listings/demo/Cargo.toml: `tokio` is inherited, but"),
            "{error}"
        );
        let error = shown("", "tokio = { path = \"x\" }\n").unwrap_err();
        assert_eq!(error, "listings/demo/Cargo.toml: `tokio` has no version");
    }
}
