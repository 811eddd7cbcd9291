//! What is wrong with a configuration, shown the way rustc shows it.
//!
//! All findings of all files are collected, sorted by position, and shown at once: nobody mends a
//! file one error a run.

use std::{cell::RefCell, collections::BTreeSet, fmt, ops::Range, path::Path, sync::Arc};

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

use crate::limits::{CONFIG_ERRORS_MAX, CONFIG_ERRORS_SHOWN, CONFIG_LINE_QUOTED_MAX};

/// Why a configuration is refused; at least one error.
#[derive(Clone, Debug)]
pub struct Errors(Vec<Finding>);

impl Errors {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        debug_assert!(!findings.is_empty());
        Self(findings)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// One line each: `path:line:column: what`, for a log.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Finding::line)
    }

    /// All of them with the lines they are about, and how many there are.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut text = render(&self.0, &Level::ERROR, color);
        let plural = if self.0.len() == 1 { "error" } else { "errors" };
        let more = if self.0.len() < CONFIG_ERRORS_MAX { "" } else { " or more" };
        text.push_str(&format!("{} {plural}{more} in the configuration\n", self.0.len()));
        text
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}

/// What is allowed and most likely not meant; may be none.
#[derive(Clone, Debug, Default)]
pub struct Warnings(Vec<Finding>);

impl Warnings {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self(findings)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them with the lines they are about; empty if there is none.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render(&self.0, &Level::WARNING, color)
    }

    /// One line each: `path:line:column: what`, for a log.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(Finding::line)
    }

    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// A file that was read, or could not be.
#[derive(Debug, PartialEq)]
pub(super) struct File {
    /// As it is to be shown.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl File {
    pub(super) fn new(path: &Path, text: &str) -> Arc<Self> {
        Arc::new(Self { path: path.display().to_string(), text: text.to_owned() })
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    file: Arc<File>,
    /// Bytes of the file; `None` for what concerns it as a whole.
    span: Option<Range<usize>>,
    title: String,
    label: String,
    help: Option<String>,
}

impl Finding {
    /// About a file as a whole, which the title names.
    pub(super) fn whole(file: &Arc<File>, title: impl Into<String>, help: Option<String>) -> Self {
        let (title, label) = (title.into(), String::new());
        Self { file: Arc::clone(file), span: None, title, label, help }
    }

    /// `path:line:column: what`.
    fn line(&self) -> String {
        match &self.span {
            None => self.title.clone(),
            Some(span) => {
                let place = Place::find(&self.file.text, span);
                let Place { line, column, .. } = place;
                format!("{}:{line}:{column}: {}", self.file.path, self.title)
            }
        }
    }

    fn render(&self, level: &Level<'_>, renderer: &Renderer) -> String {
        let mut group = level
            .clone()
            .primary_title(self.title.as_str())
            .elements(Option::<annotate_snippets::Message<'_>>::None);
        match &self.span {
            None => {}
            Some(span) => {
                let place = Place::find(&self.file.text, span);
                group = if place.quote.len() <= CONFIG_LINE_QUOTED_MAX {
                    let label = Some(self.label.as_str()).filter(|label| !label.is_empty());
                    let mark = AnnotationKind::Primary.span(place.mark).label(label);
                    group.element(
                        Snippet::source(place.quote)
                            .line_start(place.line)
                            .path(self.file.path.as_str())
                            .annotation(mark),
                    )
                } else {
                    let origin = Origin::path(self.file.path.as_str());
                    group.element(origin.line(place.line).char_column(place.column))
                };
            }
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// Where a span lies, and the line to quote.
struct Place<'a> {
    /// From 1.
    line: usize,
    /// Characters from 1.
    column: usize,
    /// The line without its end.
    quote: &'a str,
    /// Bytes of the line.
    mark: Range<usize>,
}

impl<'a> Place<'a> {
    /// A span over several lines is cut at the end of its first.
    fn find(text: &'a str, span: &Range<usize>) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let quote = text[line_start..line_end].trim_end_matches('\r');
        let mark = (start - line_start).min(quote.len())..(end - line_start).min(quote.len());
        Self {
            line: 1 + text[..line_start].bytes().filter(|&byte| byte == b'\n').count(),
            column: 1 + quote[..mark.start].chars().count(),
            quote,
            mark,
        }
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn render(findings: &[Finding], level: &Level<'_>, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings.iter().take(CONFIG_ERRORS_SHOWN) {
        text.push_str(&finding.render(level, &renderer));
        text.push_str("\n\n");
    }
    if let Some(more @ 1..) = findings.len().checked_sub(CONFIG_ERRORS_SHOWN) {
        text.push_str(&format!("{more} more are not shown\n"));
    }
    text
}

/// Where a parser of one file leaves what it finds, and goes on.
#[derive(Debug)]
pub(super) struct Sink {
    file: Arc<File>,
    /// Starts of the lines that are no TOML: what else is wrong there follows from that.
    broken: BTreeSet<usize>,
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
}

/// What is to be said about a place.
#[derive(Debug, Default)]
pub(super) struct Remark {
    title: String,
    label: String,
    help: Option<String>,
}

impl Remark {
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Said at the mark itself.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// What to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do about it, if that is known.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

impl Sink {
    pub(super) fn new(file: Arc<File>) -> Self {
        let (errors, warnings) = (RefCell::default(), RefCell::default());
        Self { file, broken: BTreeSet::new(), errors, warnings }
    }

    /// Records an error of the TOML syntax itself.
    pub(super) fn syntax(&mut self, span: Range<usize>, message: &str) {
        let line = self.line_start(span.start);
        // One broken line is one error, whatever a parser that lost its way says further on.
        if self.broken.insert(line) {
            self.record(&self.errors, span, Remark::new(format!("no valid TOML: {message}")));
        }
    }

    /// Records something wrong that is there.
    pub(super) fn error(&self, span: &Range<usize>, remark: Remark) {
        // The parser fills the gaps of broken lines with values that stand nowhere.
        let made_up = span.is_empty() && !self.broken.is_empty();
        let follows = made_up || self.broken.contains(&self.line_start(span.start));
        if !self.is_full() && !follows {
            self.record(&self.errors, span.clone(), remark);
        }
    }

    /// Records that something is missing; silent where broken lines may have held it.
    pub(super) fn missing(&self, span: &Range<usize>, remark: Remark) {
        if self.broken.is_empty() {
            self.record(&self.errors, span.clone(), remark);
        }
    }

    /// Records what is allowed and most likely not meant.
    pub(super) fn warn(&self, span: &Range<usize>, remark: Remark) {
        self.record(&self.warnings, span.clone(), remark);
    }

    /// The number of the line where a span begins, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        Place::find(&self.file.text, span).line
    }

    /// Whether further errors are no longer kept, so that a hostile file costs a bounded effort.
    pub(super) fn is_full(&self) -> bool {
        CONFIG_ERRORS_MAX <= self.errors.borrow().len()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Errors and warnings, each in the order of the file.
    pub(super) fn into_findings(self) -> (Vec<Finding>, Vec<Finding>) {
        let (mut errors, mut warnings) = (self.errors.into_inner(), self.warnings.into_inner());
        for findings in [&mut errors, &mut warnings] {
            findings.sort_by_key(|f| f.span.as_ref().map_or(0, |span| span.start));
        }
        (errors, warnings)
    }

    fn record(&self, list: &RefCell<Vec<Finding>>, span: Range<usize>, remark: Remark) {
        let Remark { title, label, help } = remark;
        let mut list = list.borrow_mut();
        // What is wrong with a default is found again at each channel that takes it.
        let again = |f: &Finding| f.span.as_ref() == Some(&span) && f.title == title;
        if list.len() < CONFIG_ERRORS_MAX && !list.iter().any(again) {
            let file = Arc::clone(&self.file);
            list.push(Finding { file, span: Some(span), title, label, help });
        }
    }

    fn line_start(&self, at: usize) -> usize {
        let at = floor(&self.file.text, at);
        self.file.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }
}
