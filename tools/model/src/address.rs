//! Where relative addresses lead.

/// The file that a relative address names, both it and the one where it stands seen from the root.
///
/// An address that begins with a slash is seen from the root itself. `..` at the root stays there. The address has
/// no fragment.
pub fn resolve(from: &str, to: &str) -> String {
    let mut parts: Vec<&str> = match to.starts_with('/') {
        true => Vec::new(),
        false => from.split('/').collect(),
    };
    parts.pop();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_seen_from_the_file_where_it_stands() {
        for (from, to, file) in [
            ("tasks/waiting.html", "racing.html", "tasks/racing.html"),
            ("tasks/waiting.html", "./racing.html", "tasks/racing.html"),
            ("tasks/waiting.html", "../index.html", "index.html"),
            ("index.html", "tasks/", "tasks"),
            ("a/b/c.html", "../../d/e.html", "d/e.html"),
            ("a/b/c.html", "/d.html", "d.html"),
        ] {
            assert_eq!(resolve(from, to), file, "{to} in {from}");
        }
    }
}
