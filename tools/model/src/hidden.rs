//! Hidden lines: the lines of a program that a page holds and doesn't show until the reader asks.

use crate::source::Line;

/// The lines as mdBook's Markdown has them: mdBook hides a line that starts with `# `, and shows a line that
/// starts with `##` without its first `#`; see `hide_lines.rs` in mdbook-html.
pub fn with_hidden_lines(lines: &[Line<'_>]) -> String {
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
}
