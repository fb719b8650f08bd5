//! A link to each row of a table, in its first cell, as each heading and listing has one.

use mdbook_markdown::pulldown_cmark::{BrokenLink, CowStr, Event, Parser, Tag, TagEnd};
use model::ids::{heading_id, unique};
use model::references::OPTIONS;
use std::collections::HashSet;

/// The page with a link in each row: `#row-` and what its first cell says.
pub fn with_links(page: &str) -> String {
    let mut places = Vec::new();
    let mut used = HashSet::new();
    let mut first_cell: Option<(usize, String)> = None;
    let (mut in_body, mut cell) = (false, 0);
    let callback =
        |_: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> { Some(("".into(), "".into())) };
    let parser = Parser::new_with_broken_link_callback(page, OPTIONS, Some(callback));
    for (event, range) in parser.into_offset_iter() {
        match event {
            Event::Start(Tag::TableHead) => in_body = false,
            Event::End(TagEnd::TableHead) => in_body = true,
            Event::Start(Tag::TableRow) => (cell, first_cell) = (0, None),
            Event::Start(Tag::TableCell) => cell += 1,
            Event::End(TagEnd::TableCell) if in_body && cell == 1 => {
                if let Some((start, text)) = first_cell.take() {
                    let id = format!("row-{}", heading_id(&text));
                    places.push((start, unique(id, &mut used)));
                }
            }
            Event::Text(text) | Event::Code(text) if in_body && cell == 1 => {
                let (_, said) = first_cell.get_or_insert((range.start, String::new()));
                said.push_str(&text);
            }
            Event::Start(_) if in_body && cell == 1 && first_cell.is_none() => {
                first_cell = Some((range.start, String::new()));
            }
            _ => {}
        }
    }
    let mut linked = String::new();
    let mut copied = 0;
    for (start, id) in places {
        linked.push_str(&page[copied..start]);
        linked.push_str(&format!(
            "<a class=\"row\" id=\"{id}\" href=\"#{id}\" aria-label=\"Link to this row\"></a>"
        ));
        copied = start;
    }
    linked.push_str(&page[copied..]);
    linked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_a_table_has_a_link_of_its_own() {
        let page = "| A | B |\n|---|---|\n| `one` x | 1 |\n| [two](t.md) | 2 |\n| `one` x | 3 |\n\nText.\n";
        let linked = with_links(page);
        let link = |id: &str| {
            format!(
                "<a class=\"row\" id=\"{id}\" href=\"#{id}\" aria-label=\"Link to this row\"></a>"
            )
        };
        let expected = format!(
            "| A | B |\n|---|---|\n| {}`one` x | 1 |\n| {}[two](t.md) | 2 |\n| {}`one` x | 3 |\n\nText.\n",
            link("row-one-x"),
            link("row-two"),
            link("row-one-x-1")
        );
        assert_eq!(linked, expected);
    }

    #[test]
    fn a_page_without_tables_stays_as_it_is() {
        let page = "# A\n\n`x | y`\n";
        assert_eq!(with_links(page), page);
    }
}
