//! Which of a file's columns are known, and how Arrow reads them: by the file's own nulls, and by nothing else it says.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use arrow::datatypes::{DataType, Field, Fields, Schema};
use parquet::arrow::{ArrowSchemaConverter, FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::{FileMetaData, ParquetMetaData};

use super::footer::{Element, Footer};
use crate::error::{Error, Result};
use crate::store::columns::{ATTEMPT, Column, EXECUTION};
use crate::store::taking::NOT_TAKEN;

/// Which of the known columns are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// All of them.
    Everything,
    /// Those that learning reads.
    Columns,
}

/// How a file's known columns are read.
pub(super) struct Shape {
    /// The file's schema.
    elements: Vec<Element>,
    /// For each leaf that is read, its place among those of the file.
    pub leaves: Vec<usize>,
    pub levels: FieldLevels,
    /// The columns that are read as Parquet describes them; no row groups.
    pub metadata: ParquetMetaData,
    /// Whether there are columns that this meow does not know.
    pub has_more: bool,
}

/// A known column.
struct Known {
    name: &'static str,
    data_type: DataType,
    nullable: bool,
}

impl Known {
    fn of<T>(column: &Column<T>) -> Self {
        Self { name: column.name, data_type: column.cell.data_type(), nullable: column.nullable }
    }
}

static KNOWN: LazyLock<Vec<Known>> =
    LazyLock::new(|| EXECUTION.iter().map(Known::of).chain(ATTEMPT.iter().map(Known::of)).collect());

/// The last ones: most segments have the same columns.
static LAST: [RwLock<Option<Arc<Shape>>>; 2] = [const { RwLock::new(None) }; 2];

impl Shape {
    /// Returns how the columns of a file are read.
    ///
    /// # Errors
    /// A known column stands twice or has another type than it should, or one is missing that every row has.
    pub fn of(footer: &Footer, wanted: Wanted) -> Result<Arc<Self>> {
        let kept = &LAST[wanted as usize];
        let last = kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| last.elements == footer.elements) {
            return Ok(last);
        }
        let shape = Arc::new(Self::new(&footer.elements, wanted)?);
        *kept.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&shape));
        Ok(shape)
    }

    /// Returns whether both are of files with the same columns.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.elements == other.elements
    }

    fn new(elements: &[Element], wanted: Wanted) -> Result<Self> {
        let refuse = |error| Error::store("its columns cannot be read").cause(error);
        let (mut fields, mut leaves, mut has_more) = (Vec::<Field>::new(), Vec::new(), false);
        let mut seen = HashSet::new();
        let (mut at, mut leaf) = (0, 0);
        while at < elements.len() {
            let column = &elements[at..at + size(&elements[at..])];
            let below = column.iter().filter(|element| element.kind.is_some()).count();
            let name = column[0].name.as_str();
            if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
                if !seen.insert(name) {
                    return Err(Error::store(format!("column `{name}` stands twice")));
                }
                let found = field(column, &known.data_type);
                let field = found.ok_or_else(|| Error::store(format!("column `{name}` has another type")))?;
                if matches!(wanted, Wanted::Everything) || !NOT_TAKEN.contains(&name) {
                    fields.push(field);
                    leaves.extend(leaf..leaf + below);
                }
            } else {
                has_more = true;
            }
            at += column.len();
            leaf += below;
        }
        if let Some(missing) = KNOWN.iter().find(|known| !known.nullable && !seen.contains(known.name)) {
            return Err(Error::store(format!("column `{}` is missing", missing.name)));
        }
        let schema = ArrowSchemaConverter::new().convert(&Schema::new(fields)).map_err(refuse)?;
        let levels = parquet_to_arrow_field_levels(&schema, ProjectionMask::all(), None).map_err(refuse)?;
        let file = FileMetaData::new(1, 0, None, None, Arc::new(schema), None);
        let metadata = ParquetMetaData::new(file, Vec::new());
        Ok(Self { elements: elements.to_vec(), leaves, levels, metadata, has_more })
    }
}

/// Returns how many elements the first one is, with those below it.
fn size(elements: &[Element]) -> usize {
    let (mut open, mut taken) = (1, 0);
    while open > 0 && taken < elements.len() {
        open += elements[taken].children;
        open -= 1;
        taken += 1;
    }
    taken
}

/// Returns the Arrow field of a column if it is of the given type; the names inside lists and maps do not matter.
fn field(column: &[Element], data_type: &DataType) -> Option<Field> {
    let (first, inner) = column.split_first()?;
    let nullable = nullable(first)?;
    let group = |children: usize, converted: &[i64]| {
        let is_group = first.kind.is_none()
            && first.children == 1
            && first.converted.is_some_and(|kind| converted.contains(&kind));
        let repeated = inner.first().filter(|one| is_group && one.repetition == 2 && one.children == children)?;
        (repeated.kind.is_none() && inner.len() == children + 1).then_some(&inner[1..])
    };
    let data_type = match data_type {
        DataType::List(item) => {
            let element = field(group(1, &[3])?, item.data_type())?.with_name("element");
            DataType::List(Arc::new(element))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { return None };
            let inner = group(2, &[1, 2])?;
            let key = field(&inner[..1], entry[0].data_type())?.with_name("key").with_nullable(false);
            let value = field(&inner[1..], entry[1].data_type())?.with_name("value");
            let required = inner[0].repetition == 0;
            let entry = Field::new("key_value", DataType::Struct(Fields::from(vec![key, value])), false);
            required.then(|| DataType::Map(Arc::new(entry), false))?
        }
        plain => {
            let wanted = match plain {
                DataType::Boolean => (0, None, None),
                DataType::Int32 => (1, None, None),
                DataType::Int64 => (2, None, None),
                DataType::Timestamp(..) => (2, None, Some(9)),
                DataType::Float64 => (5, None, None),
                DataType::Utf8 => (6, None, Some(0)),
                DataType::FixedSizeBinary(length) => (7, Some(i64::from(*length)), None),
                _ => return None,
            };
            let length = first.length.filter(|_| first.kind == Some(7));
            ((first.kind?, length, first.converted) == wanted).then(|| plain.clone())?
        }
    };
    Some(Field::new(first.name.as_str(), data_type, nullable))
}

fn nullable(element: &Element) -> Option<bool> {
    match element.repetition {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
