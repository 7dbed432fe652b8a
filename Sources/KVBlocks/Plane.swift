/// One tensor's rows inside a block: one layer's keys, or its values. Rows are token-major, whatever the engine's
/// order.
public struct Plane: Hashable, Sendable, CustomStringConvertible {
  public enum Kind: UInt8, Hashable, Sendable {
    case keys = 0
    case values = 1
  }

  public let kind: Kind
  public let layer: Int

  public init(_ kind: Kind, layer: Int) {
    self.kind = kind
    self.layer = layer
  }

  public var description: String { "layer \(layer) \(kind)" }
}

/// The shape of one plane: its place, its element type and the bytes of one token's row.
public struct PlaneLayout: Hashable, Sendable {
  public let plane: Plane
  public let elementType: ElementType
  /// Bytes of one token's row, all heads: a whole number of the element type's units.
  public let rowByteCount: Int

  public init(_ plane: Plane, elementType: ElementType, rowByteCount: Int) {
    self.plane = plane
    self.elementType = elementType
    self.rowByteCount = rowByteCount
  }
}
