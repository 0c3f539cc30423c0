fn main() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(["greeter.proto"], ["."])?;
    Ok(tonic_build::configure()
        .build_client(false)
        .compile_fds(descriptors)?)
}
