//! Wrong: two variants implement `From` for the same error.

#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("cannot read the file")]
    Read(#[from] std::io::Error),
    #[error("cannot write the report")]
    Write(#[from] std::io::Error),
}

fn main() {
    let error = std::io::Error::other("the disk is full");
    println!("{}", ImportError::from(error));
}
