//! Rows of one shape as a Parquet file: objects become groups, arrays lists, and nothing is ever missing.
//!
//! Nesting is written by hand, because the crate that does it (arrow) is three times as large as everything else here.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

/// The file.
pub(super) fn write(rows: &[Value]) -> std::io::Result<Vec<u8>> {
    build(rows).map_err(std::io::Error::other)
}

fn build(rows: &[Value]) -> Result<Vec<u8>> {
    let shape = rows.iter().cloned().reduce(wider).unwrap_or_else(|| Value::Object(Map::new()));
    let Value::Object(fields) = &shape else { unreachable!("rows are objects") };
    let columns = fields.iter().map(|(name, value)| column_type(name, value)).collect::<Result<Vec<_>>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(columns).build()?);
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let mut group = file.next_row_group()?;
    let all: Vec<Seen> = rows.iter().map(|row| Seen { value: Some(row), definition: 0, repetition: 0 }).collect();
    for (name, value) in fields {
        write_below(&mut group, value, &field(&all, name), 0)?;
    }
    group.close()?;
    file.into_inner()
}

/// A value that shows every list with an element, where some row has one.
fn wider(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (name, value) in other {
                let merged = one.remove(&name).map_or_else(|| value.clone(), |own| wider(own, value.clone()));
                one.insert(name, merged);
            }
            Value::Object(one)
        }
        (Value::Array(one), Value::Array(other)) => {
            Value::Array(one.into_iter().chain(other).reduce(wider).into_iter().collect())
        }
        (one, _) => one,
    }
}

fn column_type(name: &str, value: &Value) -> Result<TypePtr> {
    let of = |physical: Physical, logical: Option<LogicalType>| {
        let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        builder.with_logical_type(logical).build()
    };
    let column = match value {
        Value::Bool(_) => of(Physical::BOOLEAN, None)?,
        Value::Number(number) if number.is_f64() => of(Physical::DOUBLE, None)?,
        Value::Number(_) => of(Physical::INT64, None)?,
        Value::Null | Value::String(_) => of(Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        Value::Object(fields) => {
            let inner = fields.iter().map(|(name, value)| column_type(name, value)).collect::<Result<Vec<_>>>()?;
            Type::group_type_builder(name).with_repetition(Repetition::REQUIRED).with_fields(inner).build()?
        }
        Value::Array(elements) => {
            let element = column_type("element", elements.first().unwrap_or(&Value::Null))?;
            let repeated =
                Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]);
            let list = Type::group_type_builder(name).with_repetition(Repetition::REQUIRED);
            list.with_logical_type(Some(LogicalType::List)).with_fields(vec![Arc::new(repeated.build()?)]).build()?
        }
    };
    Ok(Arc::new(column))
}

/// A value of a column, with its levels; none where a list around it is empty.
#[derive(Clone, Copy)]
struct Seen<'a> {
    value: Option<&'a Value>,
    definition: i16,
    repetition: i16,
}

fn field<'a>(all: &[Seen<'a>], name: &str) -> Vec<Seen<'a>> {
    all.iter().map(|seen| Seen { value: seen.value.and_then(|value| value.get(name)), ..*seen }).collect()
}

/// The elements of lists that are nested in `depth` other lists.
fn elements<'a>(all: &[Seen<'a>], depth: i16) -> Vec<Seen<'a>> {
    let mut found = Vec::new();
    for seen in all {
        match seen.value.and_then(Value::as_array).filter(|elements| !elements.is_empty()) {
            None => found.push(Seen { value: None, ..*seen }),
            Some(elements) => found.extend(elements.iter().enumerate().map(|(at, element)| Seen {
                value: Some(element),
                definition: depth + 1,
                repetition: if at == 0 { seen.repetition } else { depth + 1 },
            })),
        }
    }
    found
}

/// Writes the columns below a value of this shape, which lies in `depth` lists.
fn write_below(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    shape: &Value,
    all: &[Seen<'_>],
    depth: i16,
) -> Result<()> {
    match shape {
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, value)| write_below(group, value, &field(all, name), depth))
        }
        Value::Array(inner) => {
            write_below(group, inner.first().unwrap_or(&Value::Null), &elements(all, depth), depth + 1)
        }
        _ => {
            let mut column = group.next_column()?.expect("there is a column for each value of the shape");
            write_column(&mut column, shape, all)?;
            column.close()
        }
    }
}

fn write_column(column: &mut SerializedColumnWriter<'_>, shape: &Value, all: &[Seen<'_>]) -> Result<()> {
    let definitions: Vec<i16> = all.iter().map(|seen| seen.definition).collect();
    let repetitions: Vec<i16> = all.iter().map(|seen| seen.repetition).collect();
    let levels = (Some(&definitions[..]), Some(&repetitions[..]));
    let values = all.iter().filter_map(|seen| seen.value);
    match shape {
        Value::Bool(_) => {
            let values: Vec<bool> = values.map(|value| value.as_bool().unwrap_or_default()).collect();
            column.typed::<BoolType>().write_batch(&values, levels.0, levels.1)?;
        }
        Value::Number(number) if number.is_f64() => {
            let values: Vec<f64> = values.map(|value| value.as_f64().unwrap_or_default()).collect();
            column.typed::<DoubleType>().write_batch(&values, levels.0, levels.1)?;
        }
        Value::Number(_) => {
            let values: Vec<i64> = values.map(|value| value.as_i64().unwrap_or_default()).collect();
            column.typed::<Int64Type>().write_batch(&values, levels.0, levels.1)?;
        }
        _ => {
            let text = |value: &Value| ByteArray::from(value.as_str().unwrap_or_default());
            let values: Vec<ByteArray> = values.map(text).collect();
            column.typed::<ByteArrayType>().write_batch(&values, levels.0, levels.1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
    use ::parquet::record::{Field, Row};
    use serde_json::json;

    use super::*;

    /// The rows of a file, as its own reader gives them.
    fn read(bytes: &[u8]) -> Vec<Value> {
        let mut file = tempfile::tempfile().expect("a file");
        std::io::Write::write_all(&mut file, bytes).expect("written");
        let reader = SerializedFileReader::new(file).expect("a file of rows");
        let rows = reader.get_row_iter(None).expect("rows");
        rows.map(|row| object(&row.expect("a row"))).collect()
    }

    fn object(row: &Row) -> Value {
        Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect())
    }

    fn value(field: &Field) -> Value {
        match field {
            Field::Bool(value) => json!(value),
            Field::Long(value) => json!(value),
            Field::Double(value) => json!(value),
            Field::Str(value) => json!(value),
            Field::Group(row) => object(row),
            Field::ListInternal(list) => list.elements().iter().map(value).collect(),
            other => panic!("nothing writes {other:?}"),
        }
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = vec![
            json!({"a": "x", "b": [{"role": "user", "n": 1}, {"role": "tool", "n": 2}], "c": {"d": 1.5, "e": true}}),
            json!({"a": "é\n", "b": [], "c": {"d": -2.25, "e": false}}),
            json!({"a": "", "b": [{"role": "user", "n": -3}], "c": {"d": 0.5, "e": true}}),
        ];
        assert_eq!(read(&write(&rows).expect("written")), rows);
    }

    #[test]
    fn lists_in_lists_come_back() {
        let rows = vec![json!({"a": [[1, 2], [], [3]]}), json!({"a": []}), json!({"a": [[4]]})];
        assert_eq!(read(&write(&rows).expect("written")), rows);
    }
}
