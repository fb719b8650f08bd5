//! The cancel-safety table of a page.

use model::cancel_safety::{DATA, Row, markdown, rows, runs};
use model::{Project, api, suggest};
use std::collections::BTreeSet;

/// The table of a group, as Markdown; what it links is defined below it. With the address of the
/// repository, each run is a link to its program.
///
/// # Errors
///
/// There is no such group, or a row names an API whose documentation is not known.
pub fn table(project: &Project, group: &str, repository: Option<&str>) -> Result<String, String> {
    let all = rows(project).map_err(|problem| problem.to_string())?;
    let rows: Vec<&Row> = all.iter().filter(|row| row.group == group).collect();
    if rows.is_empty() {
        let groups: BTreeSet<&str> = all.iter().map(|row| row.group.as_str()).collect();
        let near = suggest::nearest(group, groups.iter().copied());
        let groups: Vec<_> = groups.into_iter().collect();
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", groups.join(", ")),
        };
        return Err(format!("{DATA} has no group `{group}`; {hint}"));
    }
    let runs = runs(project).map_err(|problem| problem.to_string())?;
    let map = api::Map::read(project).map_err(|problem| problem.to_string())?;
    let mut text = markdown(&rows, |name| {
        let run = runs.iter().find(|run| run.name == name)?;
        Some(format!(
            "{}/blob/HEAD/{}#L{}",
            repository?, run.file, run.line
        ))
    });
    let mut definitions = BTreeSet::new();
    for row in rows {
        for cell in [Some(&row.calls), row.advice.as_ref()]
            .into_iter()
            .flatten()
        {
            for api in api::named(&cell.is) {
                let url = map
                    .url(project, &api.name)
                    .map_err(|why| format!("{DATA}:{}: {why}", cell.line))?;
                definitions.insert(format!("[{}]: <{url}>\n", api.label));
            }
        }
    }
    text.push('\n');
    text.extend(definitions);
    Ok(text)
}
