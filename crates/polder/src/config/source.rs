//! The keys of a configuration as written, each with its value and its place.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Result;
use super::error::{ConfigError, Place, Spot};
use super::keys::{Kind, VARIANTS, find, is_table, nearest};

/// A configuration is small; what is larger is some other file.
const LIMIT: u64 = 1 << 20;

/// Keys, values and places, and which variant each choice has.
#[derive(Debug, Clone, Default)]
pub(super) struct Source {
    /// Leaf keys by their dotted names.
    pub(super) values: BTreeMap<String, (toml::Value, Place)>,
    /// The chosen variant of each table of variants.
    pub(super) variants: BTreeMap<String, (String, Place)>,
}

/// Reads a file that should be a configuration.
pub(super) fn read(path: &Path) -> Result<String> {
    let error = |source| ConfigError::Read { path: path.to_owned(), source };
    // Opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(error)?.is_file() {
        return Err(error(std::io::Error::other("it is not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(error)?;
    let bytes = file.metadata().map_err(error)?.len();
    if bytes > LIMIT {
        return Err(ConfigError::TooLarge { path: path.to_owned(), bytes, limit: LIMIT });
    }
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text).map_err(error)?;
    Ok(text)
}

impl Source {
    /// Parses TOML; relative paths are taken from `folder`.
    pub(super) fn parse(text: &str, name: &str, folder: &Path) -> Result<Self> {
        let file = File { text, name, folder };
        let syntax = |e: toml::de::Error| ConfigError::Syntax {
            message: e.message().to_owned(),
            place: e.span().map_or(Place::Nowhere, |s| file.place(&s)),
        };
        let spans = DeTable::parse(text).map_err(syntax)?;
        let values: toml::Table = toml::from_str(text).map_err(syntax)?;
        let mut source = Self::default();
        source.walk(&file, "", spans.get_ref(), &values)?;
        Ok(source)
    }

    fn walk(&mut self, file: &File<'_>, prefix: &str, spans: &DeTable<'_>, values: &toml::Table) -> Result<()> {
        // In the order of the text, so that the first mistake is the one that is reported.
        let mut entries: Vec<_> = spans.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, span) in entries {
            let Some(value) = values.get(key.get_ref().as_ref()) else {
                continue;
            };
            let name =
                if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
            if find(&name).is_some() {
                let value = resolve(&name, value.clone(), file.folder);
                self.values.insert(name, (value, file.place(&span.span())));
                continue;
            }
            if !is_table(&name) {
                return Err(unknown(name, file.place(&key.span())));
            }
            let (DeValue::Table(inner), toml::Value::Table(values)) = (span.get_ref(), value) else {
                return Err(not_a_table(&name, value, file.place(&span.span())));
            };
            if VARIANTS.contains(&prefix) {
                self.choose(prefix, key, file)?;
            }
            self.walk(file, &name, inner, values)?;
        }
        Ok(())
    }

    /// Notes a variant; a second one in one file is refused.
    fn choose(&mut self, table: &str, key: &Spanned<std::borrow::Cow<'_, str>>, file: &File<'_>) -> Result<()> {
        let (variant, place) = (key.get_ref().to_string(), file.place(&key.span()));
        match self.variants.get(table) {
            Some((first, _)) if *first != variant => {
                Err(ConfigError::TwoVariants { table: table.to_owned(), first: first.clone(), second: variant, place })
            }
            _ => {
                self.variants.insert(table.to_owned(), (variant, place));
                Ok(())
            }
        }
    }

    /// Sets a key, or chooses a variant by a table of its keys; a sibling variant's keys go.
    pub(super) fn set(&mut self, name: &str, value: toml::Value, place: &Place, folder: &Path) -> Result<()> {
        self.replace_sibling(name, place);
        if find(name).is_some() {
            let value = resolve(name, value, folder);
            self.values.insert(name.to_owned(), (value, place.clone()));
            return Ok(());
        }
        if !is_table(name) {
            return Err(unknown(name.to_owned(), place.clone()));
        }
        let toml::Value::Table(entries) = value else {
            return Err(not_a_table(name, &value, place.clone()));
        };
        for (key, value) in entries {
            self.set(&format!("{name}.{key}"), value, place, folder)?;
        }
        Ok(())
    }

    /// Chooses the variant that a name lies in, and drops the keys of any other one.
    fn replace_sibling(&mut self, name: &str, place: &Place) {
        for table in VARIANTS {
            let Some(rest) = name.strip_prefix(table).and_then(|r| r.strip_prefix('.')) else {
                continue;
            };
            let variant = rest.split('.').next().unwrap_or(rest);
            if !is_table(&format!("{table}.{variant}")) {
                continue;
            }
            let kept = format!("{table}.{variant}.");
            let dropped = format!("{table}.");
            self.values.retain(|key, _| !key.starts_with(&dropped) || key.starts_with(&kept));
            self.variants.insert((*table).to_owned(), (variant.to_owned(), place.clone()));
        }
    }
}

fn unknown(key: String, place: Place) -> ConfigError {
    let nearest = nearest(&key);
    ConfigError::UnknownKey { key, place, nearest }
}

fn not_a_table(name: &str, value: &toml::Value, place: Place) -> ConfigError {
    let message = format!("a table is expected, found {} {}", value.type_str(), shown(value));
    ConfigError::Type { key: name.to_owned(), message, place }
}

/// A value as TOML, cut where it is long.
pub(super) fn shown(value: &toml::Value) -> String {
    let text = match value {
        toml::Value::Table(_) => "{ … }".to_owned(),
        // As people write it: 1e-6, not 0.000001.
        toml::Value::Float(x) if x.is_finite() && *x != 0.0 && !(1e-4..1e9).contains(&x.abs()) => {
            format!("{x:e}")
        }
        value => value.to_string(),
    };
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("…".chars()).collect() }
}

/// Makes a path absolute; a Hub id is left as it is.
fn resolve(name: &str, value: toml::Value, folder: &Path) -> toml::Value {
    let task_file = name == "task.name" && names_task_file(&value);
    if !task_file && find(name).is_none_or(|k| k.kind != Kind::Path) {
        return value;
    }
    match value {
        toml::Value::String(text) if !text.is_empty() && !text.starts_with("hf://") => {
            let joined = folder.join(&text);
            let path = std::path::absolute(&joined).unwrap_or(joined);
            toml::Value::String(tidy(&path).to_string_lossy().into_owned())
        }
        value => value,
    }
}

/// Whether a task's name is that of a file, which then stands in `task.file`'s place.
fn names_task_file(name: &toml::Value) -> bool {
    name.as_str().is_some_and(is_task_file)
}

/// Whether a task's name is that of a file.
pub(super) fn is_task_file(name: &str) -> bool {
    name.ends_with(".toml")
}

/// Takes `..` out of the folders of an absolute path, as far as they exist. The last part stays what it is: a link to a
/// file may have a telling name where the file has none.
fn tidy(path: &Path) -> PathBuf {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return path.to_owned() };
    for folder in parent.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), parent.strip_prefix(folder)) {
            return real.join(rest).join(name);
        }
    }
    path.to_owned()
}

/// A file's text, for places.
struct File<'a> {
    text: &'a str,
    name: &'a str,
    folder: &'a Path,
}

impl File<'_> {
    /// The place of a span of bytes.
    fn place(&self, span: &std::ops::Range<usize>) -> Place {
        let bytes = self.text.as_bytes();
        let at = span.start.min(bytes.len());
        let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
        let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |p| at + p);
        let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
        // Tabs become single blanks so that the mark stands under what it means.
        let text = String::from_utf8_lossy(&bytes[start..end]).trim_end().replace(|c: char| c.is_control(), " ");
        let column = String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1;
        let width = String::from_utf8_lossy(&bytes[at..span.end.clamp(at, end)]).trim_end().chars().count();
        Place::File(Box::new(Spot { name: self.name.to_owned(), line, column, width, text }))
    }
}
