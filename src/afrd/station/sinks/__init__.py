"""Who else is told: one small class a sink. Each can fail, or hang, without stopping the line."""
