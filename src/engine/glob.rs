//! Patterns over channel ids: `*` stands for any run of characters, `?` for one.
//!
//! There is no escape: the ids of channels hold neither character. Matching takes at most
//! pattern times text steps, whatever the pattern.

/// A pattern, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pattern: Box<str>,
    /// Bytes before the first `*` or `?`; all of them for a plain id.
    prefix_len: usize,
    /// Bytes after the last of them; all of them for a plain id.
    suffix_len: usize,
}

impl Glob {
    /// Takes the pattern as it stands: every text is one.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let prefix_len = pattern.find(['*', '?']).unwrap_or(pattern.len());
        let suffix_len = pattern.rfind(['*', '?']).map_or(pattern.len(), |at| {
            // Both are one byte long.
            pattern.len() - at - 1
        });
        Self { pattern: pattern.into(), prefix_len, suffix_len }
    }

    /// The id, if the pattern is a plain one.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (self.prefix_len == self.pattern.len()).then_some(&*self.pattern)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.pattern
    }

    /// What every matching text starts with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.pattern[..self.prefix_len]
    }

    /// Whether the whole of `text` fits the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some(text) = text.strip_prefix(self.prefix()) else { return false };
        let pattern = &self.pattern[self.prefix_len..];
        if pattern.is_empty() {
            return text.is_empty();
        }
        // Most texts that do not fit are told by their end, and one star leaves nothing else.
        let (middle, suffix) = pattern.split_at(pattern.len() - self.suffix_len);
        let Some(text) = text.strip_suffix(suffix) else { return false };
        middle == "*" || matches_rest(middle, text)
    }
}

/// Walks both texts; on a mismatch only the latest `*` takes one character more, because
/// whatever an earlier one could reach, the latest can reach too.
fn matches_rest(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut text = text.chars();
    let mut star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut ahead = pattern.clone();
        match ahead.next() {
            Some('*') => {
                star = Some((ahead.clone(), text.clone()));
                pattern = ahead;
                continue;
            }
            Some(wanted) if text.clone().next().is_some_and(|c| wanted == '?' || wanted == c) => {
                text.next();
                pattern = ahead;
                continue;
            }
            None if text.as_str().is_empty() => return true,
            Some(_) | None => {}
        }
        let Some((after_star, covered)) = &mut star else { return false };
        if covered.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        text = covered.clone();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_and_single_characters() {
        let cases = [
            ("boiler.*", "boiler.flow", true),
            ("boiler.*", "boiler.", true),
            ("boiler.*", "boiler", false),
            ("*", "", true),
            ("?", "", false),
            ("?", "µ", true),
            ("*.temp", "a.b.temp", true),
            ("*.temp", "a.b.temperature", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a?c*", "abcd", true),
            ("**", "x", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn plain_ids_are_known_as_such() {
        assert_eq!(Glob::new("a.b").literal(), Some("a.b"));
        assert_eq!(Glob::new("a.*").literal(), None);
        assert_eq!(Glob::new("a.b?c").prefix(), "a.b");
    }

    /// Exponential matchers need longer than the age of the universe for this one.
    #[test]
    fn many_stars_end_soon() {
        let text = "a".repeat(256);
        let pattern = format!("{}b", "*a".repeat(127));
        assert!(!Glob::new(&pattern).matches(&text));
    }

    /// The definition, written out.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|i| by_definition(rest, &text[i..])),
            [wanted, rest @ ..] => {
                !text.is_empty()
                    && (*wanted == '?' || *wanted == text[0])
                    && by_definition(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            prop_assert_eq!(Glob::new(&pattern).matches(&text), by_definition(&p, &t));
        }
    }
}
