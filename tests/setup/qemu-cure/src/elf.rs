// SPDX-License-Identifier: GPL-2.0
//! The functions that an executable exports: where they are, and their code.

use anyhow::{bail, Context, Result};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SymbolKind};

/// A function of the executable.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    /// Address in the executable's own address space (before it is relocated).
    pub address: u64,
    /// Offset of its first byte in the file.
    pub offset: usize,
    /// Its code.
    pub code: &'a [u8],
}

/// What an executable exports.
pub struct Exports<'a> {
    image: &'a [u8],
    file: object::File<'a>,
}

impl<'a> Exports<'a> {
    /// Reads the tables of an ELF file for x86-64.
    pub fn parse(image: &'a [u8]) -> Result<Self> {
        let file = object::File::parse(image).context("this is not an ELF file")?;
        if file.architecture() != Architecture::X86_64 {
            bail!("this is a file for {:?}, not for x86-64", file.architecture());
        }
        Ok(Self { image, file })
    }

    /// The function of that name; `None` if there is none with code in the file.
    pub fn function(&self, name: &str) -> Option<Function<'a>> {
        let symbol = self
            .file
            .dynamic_symbols()
            .find(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.name() == Ok(name))?;
        let section = self.file.section_by_index(symbol.section_index()?).ok()?;
        let (start, length) = section.file_range()?;
        let within = symbol.address().checked_sub(section.address())?;
        if within.checked_add(symbol.size())? > length {
            return None;
        }
        let offset = usize::try_from(start.checked_add(within)?).ok()?;
        let size = usize::try_from(symbol.size()).ok()?;
        let code = self.image.get(offset..offset.checked_add(size)?)?;
        Some(Function { address: symbol.address(), offset, code })
    }
}
