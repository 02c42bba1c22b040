//! Which device computes, what is said when there is none, and the way there and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::{Cuda, Device, Kind, TchError, Tensor, no_grad_guard};

use super::super::EngineError;

/// Whether there is a device at all; reads no model and is quick.
///
/// # Errors
/// [`EngineError::Unavailable`] with what is missing.
pub(in super::super) fn available() -> Result<(), EngineError> {
    find().map(|_| ())
}

/// The device, on which something was computed.
pub(super) fn open() -> Result<Device, EngineError> {
    let device = find()?;
    let sum = Tensor::f_ones([1], (Kind::Float, device)).and_then(|one| one.f_add(&one));
    match read(&sum.map_err(|error| failed(&error))?)?[..] {
        [2.0] => Ok(device),
        _ => Err(unavailable("it cannot add two numbers; see what `nvidia-smi` says")),
    }
}

fn find() -> Result<Device, EngineError> {
    match Cuda::is_available() {
        true => Ok(Device::Cuda(0)),
        false if cfg!(feature = "gpu-tests") => Ok(Device::Cpu),
        false => Err(unavailable(
            "PyTorch's library sees no GPU; see what `nvidia-smi` says of the driver, and whether the PyTorch that this program was built \
             with has CUDA (`python -c \"import torch; print(torch.version.cuda)\"`)",
        )),
    }
}

fn unavailable(reason: &str) -> EngineError {
    EngineError::Unavailable { reason: format!("engine `gpu`: {reason}") }
}

fn failed(error: &TchError) -> EngineError {
    unavailable(&format!("the device failed: {error}"))
}

/// Computes; an operation in which the device fails, as without memory, panics, which becomes an error here.
pub(super) fn computing<T>(compute: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map_or("it does not say why", String::as_str);
        // The library's own words, without the calls that led there.
        let said = said.split_once("Torch(\"").map_or(said, |(_, words)| words);
        let first = said.split("\\n").next().unwrap_or(said);
        Err(unavailable(&format!(
            "the device failed: {first} (adapters and `engine.recompute` need less memory there)"
        )))
    })
}

/// Computes what no gradient will go through; also an operation that fails leaves that behind.
pub(super) fn without_gradients<T>(compute: impl FnOnce() -> T) -> T {
    let _guard = no_grad_guard();
    compute()
}

/// Brings values to the host.
pub(super) fn read(tensor: &Tensor) -> Result<Vec<f32>, EngineError> {
    let values = tensor.detach().f_to_device(Device::Cpu).and_then(|there| there.f_to_kind(Kind::Float));
    let flat = values.and_then(|values| values.f_reshape([-1])).map_err(|error| failed(&error))?;
    Vec::try_from(flat).map_err(|error| failed(&error))
}

/// Takes a matrix to the device.
pub(super) fn matrix(values: &[f32], shape: [usize; 2], device: Device) -> Tensor {
    Tensor::from_slice(values).reshape(shape.map(size)).to_device(device)
}

/// Takes indices to the device.
pub(super) fn indices(values: impl Iterator<Item = usize>, device: Device) -> Tensor {
    Tensor::from_slice(&values.map(size).collect::<Vec<i64>>()).to_device(device)
}

/// Sizes are 64 bits with a sign there.
pub(super) fn size(size: usize) -> i64 {
    i64::try_from(size).expect("sizes are below 2^63")
}
