//! One file of the repository, read as far as the rules need it.

use std::{collections::BTreeSet, path::Path};

/// A file and what the rules ask about it.
#[derive(Debug)]
pub(super) struct Source {
    /// From the top of the repository.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// As it is, up to the tests at its bottom.
    pub(super) text_without_tests: String,
    /// Without comments and without what is in quotes; line by line as it was.
    pub(super) everything: String,
    /// The same without what is for tests only; empty for a file of tests.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let everything = if path.ends_with(".rs") { bare(text) } else { String::new() };
        let mut source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            text_without_tests: text.split("#[cfg(test)]\nmod ").next().unwrap_or(text).to_owned(),
            code: without_tests(&everything),
            everything,
        };
        if source.is_test() {
            source.code.clear();
        }
        source
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of the file is tests.
    pub(super) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs" || part == "benches")
    }

    /// The module of the library that the file belongs to.
    pub(super) fn module(&self) -> Option<&str> {
        let first = self.path.strip_prefix("src/")?.split('/').next()?;
        let module = first.strip_suffix(".rs").unwrap_or(first);
        (module != "lib" && module != "main").then_some(module)
    }

    /// How many modules the file is in, itself included.
    pub(super) fn depth(&self) -> usize {
        self.path.matches('/').count() - usize::from(self.path.ends_with("/mod.rs"))
    }
}

/// The name of a file's module, and the files that may declare it.
pub(super) fn parents(path: &Path) -> (String, Vec<String>) {
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let stem = text(path.file_stem().expect("a file").as_ref());
    let mut directory = path.parent().expect("within").to_owned();
    let name = if stem == "mod" {
        let name = text(directory.file_name().expect("a directory").as_ref());
        directory.pop();
        name
    } else {
        stem
    };
    let mut files = vec![directory.join("mod.rs"), directory.with_extension("rs")];
    files.push(directory.join("lib.rs"));
    files.push(directory.join("main.rs"));
    (name, files.iter().map(|file| text(file)).collect())
}

/// The names right behind `root::` wherever it stands, those in braces included.
pub(super) fn names_after(code: &str, root: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let start = format!("{root}::");
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(&start) {
        if code[..at].ends_with(is_part) || code[..at].ends_with(':') {
            continue;
        }
        let rest = code[at + start.len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => names.extend(heads(group)),
            None => names.extend(head(rest)),
        }
    }
    names
}

/// The first name of each entry of a group, up to its closing brace.
fn heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::from_iter(head(group.trim_start()));
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(head(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn head(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (0 < end).then(|| text[..end].to_owned())
}

/// Rust without comments and without the insides of strings and characters.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(length) = raw_string(rest, &out) {
            length
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    out
}

/// Length of the raw string that starts here, if one does.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let inner = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let from = text.len() - inner.len() + hashes + 1;
    Some(text[from..].find(&end).map_or(text.len(), |at| from + at + end.len()))
}

/// A character, and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut inner = text.chars().skip(1);
    matches!((inner.next(), inner.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// Length of what is quoted, both quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bare code without the items that are for tests only.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        out.push_str(before);
        let mut depth = 0;
        let end = item.char_indices().find_map(|(at, c)| match c {
            '{' => {
                depth += 1;
                None
            }
            '}' => {
                depth -= 1;
                (depth == 0).then_some(at + 1)
            }
            ';' if depth == 0 => Some(at + 1),
            _ => None,
        });
        rest = &item[end.unwrap_or(item.len())..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_quotes_are_left_out_and_lines_stay() {
        let text = "a // b\n\"c\\\"\nd\" 'e' '\\'' &'f g r#\"h \" i\"# /* j */ k\n";
        assert_eq!(bare(text).split_whitespace().collect::<Vec<_>>(), ["a", "&'f", "g", "k"]);
        assert_eq!(bare(text).lines().count(), text.lines().count());
    }

    #[test]
    fn names_are_found_in_groups_and_paths() {
        let code = "use x::{a::{b, c}, d,\n e::f}; x::g(); my_x::h(); y::x::i; x::J";
        let names = names_after(code, "x");
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["J", "a", "d", "e", "g"]);
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let code = "a #[cfg(test)]\nmod tests { x { y } } b #[cfg(test)] mod t; c";
        let left = without_tests(code);
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_module_knows_its_place() {
        let place = |path| (Source::new(path, "").depth(), parents(Path::new(path)).0);
        assert_eq!(place("src/scan.rs"), (1, "scan".to_owned()));
        assert_eq!(place("src/wire/mod.rs"), (1, "wire".to_owned()));
        assert_eq!(place("src/engine/unit/table.rs"), (3, "table".to_owned()));
    }
}
