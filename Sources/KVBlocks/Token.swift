/// A token id as the engines store it: 32 bits, little-endian, signed (llama.cpp's `llama_token`).
public typealias Token = Int32
