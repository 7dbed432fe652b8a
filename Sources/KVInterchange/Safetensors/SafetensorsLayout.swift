import KVBlocks

/// kvpager's own layout of a safetensors file: `layers.{i}.k`, `layers.{i}.v` with the token as first dimension,
/// `token_ids`.
struct SafetensorsLayout: Sendable {
  enum Content: Hashable, Sendable {
    case tokens
    /// Index into ``planes``.
    case plane(Int)
  }

  static let tokensName = "token_ids"

  let rowCount: Int
  /// In kvpager's order.
  let planes: [PlaneLayout]
  /// What each tensor of the header holds, in the header's order.
  let contents: [Content]

  static func name(_ plane: Plane) -> String { "layers.\(plane.layer).\(plane.kind == .keys ? "k" : "v")" }

  /// Finds the layout in a header.
  init(_ header: SafetensorsHeader) throws(FormatError) {
    var rowCount: Int?
    var found: [(layout: PlaneLayout, tensor: Int)] = []
    for (index, tensor) in header.tensors.enumerated() {
      let offset = header.byteCount + tensor.begin
      let isTokens = tensor.name == Self.tokensName
      guard isTokens || Self.plane(named: tensor.name) != nil else {
        throw FormatError(
          "the tensor \"\(tensor.name)\" is none of layers.N.k, layers.N.v and token_ids", offset: offset)
      }
      guard let count = tensor.shape.first, count <= StateLimit.cellCount, rowCount == nil || rowCount == count else {
        throw FormatError(
          "\"\(tensor.name)\" \(tensor.shape) has not as many tokens as the tensors before it", offset: offset)
      }
      rowCount = count
      if isTokens {
        guard tensor.dtype == "I32", tensor.shape.count == 1 else {
          throw FormatError("\"token_ids\" is \(tensor.dtype) \(tensor.shape); it must be I32 and flat", offset: offset)
        }
      } else if let plane = Self.plane(named: tensor.name) {
        let metadata = header.metadata.first { $0.name == tensor.name }?.value
        guard let layout = Self.layout(plane, tensor, typeName: metadata) else {
          throw FormatError(
            "\"\(tensor.name)\" is \(tensor.dtype) \(tensor.shape); it must be [tokens, ...] of F32, F16, "
              + "BF16, I8 or U8, "
              + "a row 1 to \(BlockLayout.rowByteCountLimit) bytes", offset: offset)
        }
        found.append((layout, index))
      }
    }
    guard !found.isEmpty, let rowCount else { throw FormatError("the file has no layers.N.k", offset: 8) }
    found.sort {
      ($0.layout.plane.kind.rawValue, $0.layout.plane.layer) < ($1.layout.plane.kind.rawValue, $1.layout.plane.layer)
    }
    let keys = found.filter { $0.layout.plane.kind == .keys }.map(\.layout.plane.layer)
    let values = found.filter { $0.layout.plane.kind == .values }.map(\.layout.plane.layer)
    guard values.isEmpty || keys == values, !keys.isEmpty, found.count <= BlockLayout.planeCountLimit else {
      throw FormatError("\(keys.count) layers have keys and \(values.count) values; they must be the same", offset: 8)
    }
    var contents = [Content](repeating: .tokens, count: header.tensors.count)
    for (index, plane) in found.enumerated() { contents[plane.tensor] = .plane(index) }
    self.rowCount = rowCount
    self.planes = found.map(\.layout)
    self.contents = contents
  }

  private static func plane(named name: String) -> Plane? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "layers", let layer = Int32(parts[1]), String(layer) == parts[1], layer >= 0
    else { return nil }
    switch parts[2] {
    case "k": return Plane(.keys, layer: Int(layer))
    case "v": return Plane(.values, layer: Int(layer))
    default: return nil
    }
  }

  private static func layout(_ plane: Plane, _ tensor: TensorEntry, typeName: String?) -> PlaneLayout? {
    guard tensor.shape.count >= 2 else { return nil }
    var row = tensor
    row.shape.removeFirst()
    guard let rowByteCount = row.byteCount, (1...BlockLayout.rowByteCountLimit).contains(rowByteCount) else {
      return nil
    }
    let elementType: ElementType
    switch tensor.dtype {
    case "F32": elementType = .f32
    case "F16": elementType = .f16
    case "BF16": elementType = .bf16
    case "I8": elementType = .i8
    case "U8":
      let named = typeName.flatMap { ElementType(name: $0) } ?? .raw
      elementType = dtype(named) == "U8" && rowByteCount % named.unitByteCount == 0 ? named : .raw
    default: return nil
    }
    return PlaneLayout(plane, elementType: elementType, rowByteCount: rowByteCount)
  }

  /// The type under which elements stand in a file; quantised ones as bytes, their type in the metadata.
  static func dtype(_ elementType: ElementType) -> String {
    switch elementType {
    case .f32: "F32"
    case .f16: "F16"
    case .bf16: "BF16"
    case .i8: "I8"
    case .raw, .q8_0, .q4_0: "U8"
    }
  }
}
