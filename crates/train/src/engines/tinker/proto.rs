//! The messages of package `tinker_public`, on both sides of the protocol.

use std::collections::BTreeMap;

use super::wire::{Field, Writer, fields};

/// `DType`.
const FLOAT32: u64 = 1;
const INT64: u64 = 2;

/// `ForwardBackwardRequest`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) model_id: String,
    pub(crate) seq_id: u64,
    pub(crate) data: Vec<Datum>,
    pub(crate) loss_fn: String,
    pub(crate) config: BTreeMap<String, f64>,
    pub(crate) forward_only: bool,
}

/// `Datum`, with text only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Datum {
    pub(crate) tokens: Vec<u32>,
    pub(crate) inputs: BTreeMap<String, Tensor>,
}

/// `Tensor`, dense and one-dimensional.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tensor {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

/// `ForwardBackwardOutput`: what stands in it for each datum under one name, and the metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Output {
    pub(crate) logprobs: Vec<Vec<f32>>,
    pub(crate) metrics: BTreeMap<String, f64>,
}

/// One sequence of `SampleResponse`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sequence {
    pub(crate) tokens: Vec<u32>,
    pub(crate) logprobs: Vec<f32>,
    /// Whether the limit ended it, rather than a stop token.
    pub(crate) is_cut: bool,
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(1, self.model_id.as_bytes());
        out.number(2, self.seq_id);
        self.data.iter().for_each(|datum| out.message(3, |out| datum.write(out)));
        out.bytes(4, self.loss_fn.as_bytes());
        for (name, value) in &self.config {
            out.message(5, |out| {
                out.bytes(1, name.as_bytes());
                out.double(2, *value);
            });
        }
        if self.forward_only {
            out.number(6, 1);
        }
        // Newer servers read this one.
        for (name, value) in &self.config {
            out.message(7, |out| {
                out.bytes(1, name.as_bytes());
                out.message(2, |out| out.double(1, *value));
            });
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut request = Self::default();
        for field in fields(bytes)? {
            match field {
                (1, Field::Bytes(text)) => request.model_id = string(text)?,
                (2, Field::Number(number)) => request.seq_id = number,
                (3, Field::Bytes(datum)) => request.data.push(Datum::read(datum)?),
                (4, Field::Bytes(text)) => request.loss_fn = string(text)?,
                (5, Field::Bytes(entry)) => request.config.extend(entry_of(entry)?),
                (6, Field::Number(number)) => request.forward_only = number != 0,
                (7, Field::Bytes(entry)) => request.config.extend(wrapped(entry)?),
                _ => {}
            }
        }
        Ok(request)
    }
}

impl Datum {
    fn write(&self, out: &mut Writer) {
        let tokens: Vec<u8> = self.tokens.iter().flat_map(|id| id.to_le_bytes()).collect();
        out.message(1, |out| out.message(1, |out| out.bytes(1, &tokens)));
        for (name, tensor) in &self.inputs {
            out.message(2, |out| {
                out.bytes(1, name.as_bytes());
                out.message(2, |out| tensor.write(out));
            });
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut datum = Self::default();
        for field in fields(bytes)? {
            match field {
                (1, Field::Bytes(chunk)) => match fields(chunk)?[..] {
                    [(1, Field::Bytes(text))] => {
                        for field in fields(text)? {
                            if let (1, Field::Bytes(ids)) = field {
                                datum.tokens.extend(tokens(ids)?);
                            }
                        }
                    }
                    _ => return Err("`model_input` has a chunk that is no text".to_owned()),
                },
                (2, Field::Bytes(entry)) => {
                    let (mut name, mut tensor) = (String::new(), None);
                    for field in fields(entry)? {
                        match field {
                            (1, Field::Bytes(text)) => name = string(text)?,
                            (2, Field::Bytes(bytes)) => tensor = Some(Tensor::read(bytes)?),
                            _ => {}
                        }
                    }
                    let tensor = tensor.ok_or_else(|| format!("`loss_fn_inputs` has no tensor for `{name}`"))?;
                    datum.inputs.insert(name, tensor);
                }
                _ => {}
            }
        }
        Ok(datum)
    }
}

impl Tensor {
    fn write(&self, out: &mut Writer) {
        let (bytes, kind, length): (Vec<u8>, u64, usize) = match self {
            Self::Floats(values) => (values.iter().flat_map(|it| it.to_le_bytes()).collect(), FLOAT32, values.len()),
            Self::Integers(values) => (values.iter().flat_map(|it| it.to_le_bytes()).collect(), INT64, values.len()),
        };
        out.bytes(1, &bytes);
        out.number(3, kind);
        // Repeated numbers are packed.
        out.message(4, |out| out.0.extend(packed(length as u64)));
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (mut data, mut kind): (&[u8], u64) = (&[], 0);
        for field in fields(bytes)? {
            match field {
                (1, Field::Bytes(bytes)) => data = bytes,
                (2, _) => return Err("sparse tensors are not understood; send dense ones".to_owned()),
                (3, Field::Number(number)) => kind = number,
                _ => {}
            }
        }
        match kind {
            FLOAT32 => Ok(Self::Floats(floats(data)?)),
            INT64 => Ok(Self::Integers(chunks(data)?.into_iter().map(i64::from_le_bytes).collect())),
            other => Err(format!("tensors of type {other} are not understood; send float32 or int64")),
        }
    }
}

impl Output {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.bytes(1, b"ArrayRecord");
        let data: Vec<u8> = self.logprobs.iter().flatten().flat_map(|it| it.to_le_bytes()).collect();
        let mut offsets = vec![0_i64];
        self.logprobs.iter().for_each(|own| offsets.push(offsets[offsets.len() - 1] + 4 * own.len() as i64));
        let offsets: Vec<u8> = offsets.into_iter().flat_map(i64::to_le_bytes).collect();
        out.message(2, |out| {
            out.message(2, |out| {
                out.bytes(1, b"logprobs");
                out.message(2, |out| {
                    out.bytes(1, &data);
                    out.bytes(2, &offsets);
                    out.number(3, FLOAT32);
                });
            });
            out.number(3, self.logprobs.len() as u64);
        });
        for (name, value) in &self.metrics {
            out.message(3, |out| {
                out.bytes(1, name.as_bytes());
                out.double(2, *value);
            });
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut output = Self::default();
        for field in fields(bytes)? {
            match field {
                (2, Field::Bytes(record)) => output.logprobs.extend(record_logprobs(record)?),
                (3, Field::Bytes(entry)) => output.metrics.extend(entry_of(entry)?),
                _ => {}
            }
        }
        Ok(output)
    }
}

/// The log-probabilities of an `ArrayRecord`, datum by datum.
fn record_logprobs(record: &[u8]) -> Result<Vec<Vec<f32>>, String> {
    for field in fields(record)? {
        let (2, Field::Bytes(entry)) = field else { continue };
        let entry = fields(entry)?;
        let [(1, Field::Bytes(b"logprobs")), (2, Field::Bytes(batched))] = entry[..] else { continue };
        let (mut data, mut offsets): (&[u8], Vec<i64>) = (&[], Vec::new());
        for field in fields(batched)? {
            match field {
                (1, Field::Bytes(bytes)) => data = bytes,
                (2, Field::Bytes(bytes)) => offsets = chunks(bytes)?.into_iter().map(i64::from_le_bytes).collect(),
                (3, Field::Number(FLOAT32)) => {}
                (3, _) => return Err("`logprobs` are no float32".to_owned()),
                _ => {}
            }
        }
        let slice = |pair: &[i64]| {
            let (from, to) = (usize::try_from(pair[0]).ok()?, usize::try_from(pair[1]).ok()?);
            data.get(from..to)
        };
        let cut = offsets.windows(2).map(|pair| slice(pair).ok_or("offsets of `logprobs` lead out of them".to_owned()));
        return cut.map(|bytes| floats(bytes?)).collect();
    }
    Ok(Vec::new())
}

/// A `SampleResponse`; where a log-probability of the prompt is not defined, it is no number.
pub(crate) fn encode_sequences(sequences: &[Sequence], prompt_logprobs: Option<&[f32]>) -> Vec<u8> {
    let mut out = Writer::default();
    for sequence in sequences {
        out.message(1, |out| {
            if sequence.is_cut {
                out.number(1, 1);
            }
            out.bytes(2, &sequence.tokens.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>());
            out.bytes(3, &sequence.logprobs.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
        });
    }
    if let Some(logprobs) = prompt_logprobs {
        out.bytes(2, &logprobs.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<u8>>());
    }
    out.0
}

pub(crate) fn decode_sequences(bytes: &[u8]) -> Result<Vec<Sequence>, String> {
    let mut sequences = Vec::new();
    for field in fields(bytes)? {
        let (1, Field::Bytes(bytes)) = field else { continue };
        let mut sequence = Sequence::default();
        for field in fields(bytes)? {
            match field {
                (1, Field::Number(reason)) => sequence.is_cut = reason == 1,
                (2, Field::Bytes(bytes)) => sequence.tokens = tokens(bytes)?,
                (3, Field::Bytes(bytes)) => sequence.logprobs = floats(bytes)?,
                _ => {}
            }
        }
        sequences.push(sequence);
    }
    Ok(sequences)
}

/// An entry of a map from names to numbers.
fn entry_of(bytes: &[u8]) -> Result<Option<(String, f64)>, String> {
    let (mut name, mut value) = (String::new(), None);
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(text)) => name = string(text)?,
            (2, Field::Double(number)) => value = Some(number),
            _ => {}
        }
    }
    Ok(value.map(|value| (name, value)))
}

/// The same with the number inside a message of its own; texts are passed over.
fn wrapped(bytes: &[u8]) -> Result<Option<(String, f64)>, String> {
    let (mut name, mut value) = (String::new(), None);
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(text)) => name = string(text)?,
            (2, Field::Bytes(inner)) => {
                value = fields(inner)?.into_iter().find_map(|field| match field {
                    (1, Field::Double(number)) => Some(number),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Ok(value.map(|value| (name, value)))
}

fn string(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

fn tokens(bytes: &[u8]) -> Result<Vec<u32>, String> {
    Ok(chunks(bytes)?.into_iter().map(u32::from_le_bytes).collect())
}

fn floats(bytes: &[u8]) -> Result<Vec<f32>, String> {
    Ok(chunks(bytes)?.into_iter().map(f32::from_le_bytes).collect())
}

fn chunks<const N: usize>(bytes: &[u8]) -> Result<Vec<[u8; N]>, String> {
    if !bytes.len().is_multiple_of(N) {
        return Err(format!("{} bytes are no list of numbers of {N} bytes", bytes.len()));
    }
    Ok(bytes.chunks_exact(N).map(|chunk| chunk.try_into().expect("chunks have this size")).collect())
}

fn packed(value: u64) -> Vec<u8> {
    let mut out = Writer::default();
    // A number behind the tag of field 0, which is one byte.
    out.number(0, value);
    out.0.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
    }

    // Written by the official SDK, 0.38.
    const REQUEST: &str = "0a016d10031a2d0a0c0a0a0a08050000002c010000121d0a0a616476616e7461676573120f0a080000003f000080bf1801220102220370706f2a1d0a12636c69705f6c6f775f7468726573686f6c64119a9999999999e93f30013a1f0a12636c69705f6c6f775f7468726573686f6c641209099a9999999999e93f";
    const SAMPLE: &str = "0a160801120807000000080000001a08000000bf0000c0bf0a0c1204090000001a04000000c0";
    const OUTPUT: &str = "0a0b41727261795265636f7264123a12360a086c6f6770726f6273122a0a0c000080bf000000c0000040c01218000000000000000008000000000000000c00000000000000180118021a130a086c6f73733a73756d11000000000000f83f";

    #[test]
    fn messages_of_the_official_client_are_read_and_written_byte_by_byte() {
        let inputs = BTreeMap::from([("advantages".to_owned(), Tensor::Floats(vec![0.5, -1.0]))]);
        let request = Request {
            model_id: "m".into(),
            seq_id: 3,
            data: vec![Datum { tokens: vec![5, 300], inputs }],
            loss_fn: "ppo".into(),
            config: BTreeMap::from([("clip_low_threshold".to_owned(), 0.8)]),
            forward_only: true,
        };
        assert_eq!((request.encode(), Request::decode(&bytes(REQUEST))), (bytes(REQUEST), Ok(request)));
        let sequences = vec![
            Sequence { tokens: vec![7, 8], logprobs: vec![-0.5, -1.5], is_cut: true },
            Sequence { tokens: vec![9], logprobs: vec![-2.0], is_cut: false },
        ];
        assert_eq!(
            (encode_sequences(&sequences, None), decode_sequences(&bytes(SAMPLE))),
            (bytes(SAMPLE), Ok(sequences))
        );
        let metrics = BTreeMap::from([("loss:sum".to_owned(), 1.5)]);
        let output = Output { logprobs: vec![vec![-1.0, -2.0], vec![-3.0]], metrics };
        assert_eq!((output.encode(), Output::decode(&bytes(OUTPUT))), (bytes(OUTPUT), Ok(output)));
    }

    #[test]
    fn cut_and_foreign_messages_are_refused() {
        let whole = Request::decode(&bytes(REQUEST)).expect("a request");
        let length = REQUEST.len() / 2;
        // It may end between two fields, but then something is missing; only not when it is the last one, in which the client says the
        // bounds of the loss a second time.
        let last = REQUEST.rfind("3a1f").expect("the last field") / 2;
        for cut in (1..length).filter(|cut| *cut != last) {
            assert_ne!(Request::decode(&bytes(REQUEST)[..cut]).as_ref(), Ok(&whole), "{cut}");
        }
        assert!(Request::decode(&bytes(REQUEST)[..20]).is_err());
        assert_eq!(
            decode_sequences(b"\x0a\x03\x12\x01\x07"),
            Err("1 bytes are no list of numbers of 4 bytes".to_owned())
        );
        assert!(decode_sequences(b"<html>").is_err());
    }
}
