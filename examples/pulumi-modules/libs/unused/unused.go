package unused

// Zero is used by nobody.
const Zero = 0
