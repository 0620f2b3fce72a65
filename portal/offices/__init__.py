"""What health offices and the ministry see: alerts, candidates to follow up, visitors, and who uses the QR codes."""
