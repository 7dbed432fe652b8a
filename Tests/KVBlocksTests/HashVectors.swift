import Foundation
import KVBlocks

/// `data/vectors/sha256_cbor.json`: what cbor2 and hashlib say (see `tools/cbor_vectors.py`).
struct HashVectors: Decodable {
  struct Root: Decodable {
    let seed: String
    let hash: String
  }
  struct Integer: Decodable {
    let value: Int64
    let cbor: String
  }
  struct Text: Decodable {
    let text: String
    let sha256: String
  }
  struct Chain: Decodable {
    let seed: String
    let blockTokenCount: Int
    let tokens: [Token]
    let extras: [BlockExtras]
    let hashes: [String]

    func extra(ofBlock index: Int) -> [ExtraKey] { extras.first { $0.block == index }?.keys.map(\.key) ?? [] }
  }
  struct BlockExtras: Decodable {
    let block: Int
    let keys: [Extra]
  }
  /// One key as the hash sees it: `["lora", name]`, `["mm", identifier, offset]`, `["cache_salt", salt]`.
  struct Extra: Decodable {
    let key: ExtraKey

    init(from decoder: any Decoder) throws {
      var list = try decoder.unkeyedContainer()
      let kind = try list.decode(String.self)
      let text = try list.decode(String.self)
      switch kind {
      case "lora": key = .lora(name: text)
      case "mm": key = .multimodal(identifier: text, offset: try list.decode(Int.self))
      case "cache_salt": key = .cacheSalt(text)
      default: throw DecodingError.dataCorruptedError(in: list, debugDescription: "no such extra key: \(kind)")
      }
    }
  }

  let roots: [Root]
  let integers: [Integer]
  let texts: [Text]
  let chains: [Chain]

  static func read() throws -> HashVectors {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let data = try Data(contentsOf: root.appending(path: "data/vectors/sha256_cbor.json"))
    return try JSONDecoder().decode(HashVectors.self, from: data)
  }
}
