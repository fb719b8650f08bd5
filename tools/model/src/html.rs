//! Text as HTML, and as a code block.

/// Text as HTML, for elements and attributes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A line of text as HTML: escaped, with `code` between backticks.
pub fn inline_code(text: &str) -> String {
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

/// A code block whose fence is longer than any run of backticks inside.
pub fn fenced(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
